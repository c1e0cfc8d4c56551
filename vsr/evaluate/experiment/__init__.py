"""Ground-truth experiments on videos: the frames themselves are the truth that is sought."""
