"""Random commands, a file per type.

    WEIGHT = 30                   how often the family's turn comes, beside the others
    KEY = b"s"                    its own keys are s0 to s5; left out: k0 to k5
    def command(g): ...           one random command, a list of bytes, of what the generator g gives
                                  (random_commands.py); None: not this time
    MEASURES = {b"KEYS": "sorted"}   how replies are compared, by a word of compare.py, or a function of the
                                  command that says the word; left out: "equal"
    UNSTABLE = {b"SPOP": True}    commands whose outcome is each server's own choice (or a function of the
                                  command that tells): the generator deletes their first key behind them
    CONFIG = {"set-max-intset-entries": ["512", "4", "0"]}   directives to choose from for each epoch: small
                                  thresholds make small containers change their form

A command is left out while the server under test has no such command. What a command does may not hang on
the time of day or on chance, unless it stands in MEASURES or UNSTABLE; deadlines are far away. A family may
name commands of others (a DEL in between), and should make its own mostly succeed: `make command-fuzz
ONLY=family` says at its end how many of each command failed."""
