"""Many sequences or videos in one command: plan, jobs, engines, resume, summary."""
