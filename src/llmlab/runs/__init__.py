"""A run in its folder: what every command that trains, searches or simulates stands on.

- `folder`: a new folder is made and held by one process; a taken one is refused before any work.
- `log`: `log.jsonl`, one event a line, written as it happens; read as typed events.
- `interrupt`: Ctrl-C takes effect between two steps, so that a run can save and stop.
- `control`: requests from outside, read between two steps and answered in the log.
- `trials`: the same log for an experiment, a line for each of its runs.
- `shell`: commands that a message offers can be pasted as they are.

A lab's command goes like this:

    folder = RunFolder(out or default_folder("micro", "stdlib", seed=0))
    with folder.held():                     # refused while another process writes into it
        folder.require_empty()              # or, with --resume: load what is there
        ...                                 # only now the slow work: data, model
        folder.log.start({"seed": 0})
        with deferred_interrupt() as interrupted:
            for event in ...:
                folder.log.append("point", {"step": 3, "loss": 2.5})
                if interrupted():
                    ...                     # save, say how to go on, stop

With `--resume` a run goes on from its newest checkpoint: `log.cut(step)` removes what the run
will log again. A run that is finished already says so and does nothing.
"""
