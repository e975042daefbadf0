"""The fine-tuning lab: skills with exact graders, LoRA, fine-tuning loop."""
