"""Status of an application: what people decided about it. Floor 0: pure."""

from ovd_saas.domain.machine import Machine, Transition

DRAFT = "draft"  # no release is ready yet, or nobody opened it; a person enables it
ENABLED = "enabled"  # wakes, executes and learns; a person suspends it
SUSPENDED = "suspended"  # nothing starts, everything is kept; a person enables or retires it
RETIRED = "retired"  # final: nothing starts any more, the archive stays readable

ENABLE = "enable"
SUSPEND = "suspend"
RETIRE = "retire"

STATUS = Machine(
    name="status",
    initial=DRAFT,
    final=(RETIRED,),
    states={
        DRAFT: "a person enables it when a release is ready, or retires it",
        ENABLED: "a person suspends it",
        SUSPENDED: "a person enables it again, or retires it",
        RETIRED: "nobody: it is final, and its archive stays readable",
    },
    transitions=(
        Transition(DRAFT, ENABLE, ENABLED, "person", "Opens the application: from now on it wakes and learns."),
        Transition(DRAFT, RETIRE, RETIRED, "person", "Gives the draft up."),
        Transition(ENABLED, SUSPEND, SUSPENDED, "person", "Nothing starts any more; what runs may finish."),
        Transition(SUSPENDED, ENABLE, ENABLED, "person", "Opens it again; what waited in the queue is executed."),
        Transition(SUSPENDED, RETIRE, RETIRED, "person", "Ends it for good; what waits in the queue fails."),
    ),
)
