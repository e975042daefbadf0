"""What experiments on nights have in common. Reading order:

1. `exams`: a day, a night and an exam. `replay`: episodes as a view.
2. `library`, `skills`: many adapters on disk; their lessons and exams by family.
   `routes`: which of them answers a program. `mornings`: who is examined after a night.
3. `measures`: columns that several experiments share.
"""
