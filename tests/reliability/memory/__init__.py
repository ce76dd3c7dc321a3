"""Trainings in processes of their own whose memory is compared with the estimate."""
