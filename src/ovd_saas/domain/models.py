"""Model versions: learned artifacts and which one is live. Floor 0: pure."""

from ovd_saas.domain.machine import Machine, Transition

CANDIDATE = "candidate"  # stored, not used; the gate or a person decides
ACTIVE = "active"  # the live one; the promotion of another retires it
REJECTED = "rejected"  # final: the gate, or a person, said no
RETIRED = "retired"  # was live; a person may roll back to it

PROMOTE = "promote"
REJECT = "reject"
RETIRE = "retire"
RESTORE = "restore"

MODEL = Machine(
    name="model version",
    initial=CANDIDATE,
    final=(REJECTED,),
    states={
        CANDIDATE: "the gate, or the person who approves",
        ACTIVE: "the promotion of another version, in the same transaction",
        REJECTED: "nobody: it is final",
        RETIRED: "a person who rolls back to it",
    },
    transitions=(
        Transition(CANDIDATE, PROMOTE, ACTIVE, "gate", "It passed the gate; awake processes are swapped."),
        Transition(CANDIDATE, REJECT, REJECTED, "gate", "It did not pass the gate, or a person declined."),
        Transition(ACTIVE, RETIRE, RETIRED, "AppCore", "Another version became active in the same moment."),
        Transition(RETIRED, RESTORE, ACTIVE, "person", "A person rolled back to it."),
    ),
)
