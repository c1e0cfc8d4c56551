"""Chains the stages: recipes, the flow of frames, the main job."""
