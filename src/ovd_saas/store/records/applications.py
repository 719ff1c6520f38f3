"""Applications: a living thing with one address org/name. Floor 1."""

from django.db import models

from ovd_saas.store.records.people import Organisation, User


class Application(models.Model):
    """The states are those of `domain`; only `store/transitions.py` writes them."""

    organisation = models.ForeignKey(Organisation, models.PROTECT, related_name="applications")
    name = models.SlugField(max_length=40)
    title = models.CharField(max_length=200, blank=True)
    summary = models.CharField(max_length=500, blank=True)

    status = models.CharField(max_length=16, default="draft")
    service = models.CharField(max_length=16, default="asleep")
    learning = models.CharField(max_length=16, default="resting")
    health = models.CharField(max_length=16, default="healthy")  # healthy | faulty
    reason = models.TextField(blank=True)  # why it is as it is, a sentence
    since = models.DateTimeField()  # moment of the last change of a state

    release = models.ForeignKey("Release", models.PROTECT, null=True, related_name="+")  # current one
    upcoming = models.ForeignKey("Release", models.PROTECT, null=True, related_name="+")  # takes over when it serves
    model = models.ForeignKey("ModelVersion", models.PROTECT, null=True, related_name="+")  # live one
    upcoming_model = models.ForeignKey("ModelVersion", models.PROTECT, null=True, related_name="+")  # likewise
    promotion = models.JSONField(null=True)  # {kind, actor, reason, run?} of the upcoming model, for the ledger
    baking = models.ForeignKey("Promotion", models.SET_NULL, null=True, related_name="+")  # that is being watched
    upstream = models.ForeignKey("self", models.PROTECT, null=True, related_name="adoptions")

    wake_asked_at = models.DateTimeField(null=True)  # a person pressed wake; cleared when awake
    sleep_asked_at = models.DateTimeField(null=True)  # a person pressed sleep; cleared when asleep
    noticed_at = models.DateTimeField(null=True)  # somebody said that data arrived; cleared when a run is due
    notice = models.JSONField(null=True)  # {by, note, source}: of the first one since
    scheduled_until = models.DateTimeField(null=True)  # the schedule was looked at up to this moment
    pull_asked_at = models.DateTimeField(null=True)  # the sources are to be pulled now; cleared when they are
    pulled_until = models.DateTimeField(null=True)  # the schedules of the sources were looked at up to this moment
    pull_at = models.DateTimeField(null=True)  # when the first of them comes up; None: none does by itself
    pull_release = models.BigIntegerField(default=0, db_default=0)  # id of the release that pull_at is about
    start_failures = models.PositiveIntegerField(default=0)  # in a row
    upcoming_failures = models.PositiveIntegerField(default=0)  # starts of what is upcoming that failed
    retry_at = models.DateTimeField(null=True)  # no start before this moment
    wakes_at = models.DateTimeField(null=True)  # from then on the platform itself wants to look at it: hours, habits
    foreseen = models.JSONField(null=True)  # {looked_at, at?, until?, why?}: its regular use, as it was found then
    waits_since = models.DateTimeField(null=True)  # it waits for memory; the moment since when somebody waits for it
    waits_mb = models.PositiveIntegerField(default=0, db_default=0)  # so much
    next_what = models.CharField(max_length=300, blank=True)  # what happens next, a sentence
    next_at = models.DateTimeField(null=True)
    network_allowed = models.JSONField(default=list)  # host:port that an operator lets it reach, if it asks for them
    created_at = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(User, models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organisation", "name"], name="one_address")]
        indexes = [
            models.Index(fields=["id"], name="application_not_asleep", condition=~models.Q(service="asleep")),
            models.Index(fields=["id"], name="application_not_resting", condition=~models.Q(learning="resting")),
            models.Index(
                fields=["wake_asked_at"],
                name="application_wake_asked",
                condition=models.Q(wake_asked_at__isnull=False),
            ),
            models.Index(fields=["wakes_at"], name="application_wakes_at", condition=models.Q(wakes_at__isnull=False)),
            models.Index(fields=["pull_at"], name="application_pull_at", condition=models.Q(pull_at__isnull=False)),
            models.Index(
                fields=["pull_asked_at"],
                name="application_pull_asked",
                condition=models.Q(pull_asked_at__isnull=False),
            ),
            models.Index(  # whose sources were never looked at, or belong to another release
                fields=["id"],
                name="application_pull_new",
                condition=models.Q(status="enabled", release__isnull=False)
                & ~models.Q(pull_release=models.F("release")),
            ),
            models.Index(
                fields=["waits_since"],
                name="application_waits",
                condition=models.Q(waits_since__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.address

    @property
    def address(self) -> str:
        return f"{self.organisation.slug}/{self.name}"
