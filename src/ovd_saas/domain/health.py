"""Health of an application: what the platform found out about starting it. Floor 0: pure."""

from ovd_saas.domain.machine import Machine, Transition

HEALTHY = "healthy"  # AppCore makes it faulty after too many failed starts in a row
FAULTY = "faulty"  # AppCore makes it healthy when it starts again, or somebody repaired it

FAULT = "fault"
RECOVER = "recover"

HEALTH = Machine(
    name="health",
    initial=HEALTHY,
    final=(),
    states={
        HEALTHY: "AppCore, after too many failed starts in a row",
        FAULTY: "AppCore, when a start succeeds, a new release is ready, or a person wakes it",
    },
    transitions=(
        Transition(HEALTHY, FAULT, FAULTY, "AppCore", "It failed to start too often in a row."),
        Transition(FAULTY, RECOVER, HEALTHY, "AppCore", "It starts again, or somebody repaired it."),
    ),
)
