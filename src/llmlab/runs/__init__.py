"""A run and its folder: the basis of every command that trains, searches or simulates.

- `folder`: makes a new folder and locks it for one process; refuses a taken one before any work.
- `log`: `log.jsonl`, one event a line, written as it happens; read as typed events.
- `interrupt`: Ctrl-C takes effect between two steps, so that a run can save and stop.
- `control`: requests from other processes, read between two steps and answered in the log.
- `trials`: the same log for an experiment, one line per run.
- `shell`: quotes the commands in messages so that they can be pasted.

A lab's command follows this pattern:

    folder = RunFolder(out or default_folder("micro", "stdlib", seed=0))
    with folder.held():                     # refused while another process writes into it
        folder.require_empty()              # or, with --resume: load what is there
        ...                                 # only now the slow work: data, model
        folder.log.start({"seed": 0})
        with deferred_interrupt() as interrupted:
            for event in ...:
                folder.log.append("point", {"step": 3, "loss": 2.5})
                if interrupted():
                    ...                     # save, say how to resume, stop

With `--resume` a run continues from its newest checkpoint: `log.cut(step)` removes the events that
the run will log again. A finished run says so and does nothing.
"""
