"""What training is: plans, optimizers, evaluation, and what a backend must do."""
