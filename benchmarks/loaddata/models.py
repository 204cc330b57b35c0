"""The catalog's tables as Django's models; the database fills the times of editing."""
# ruff: noqa: D106 -- Django's Meta is not a class to document

from django.db import models


def _key(to: str, **options: object) -> "models.ForeignKey[object, object]":
    return models.ForeignKey(to, on_delete=models.DO_NOTHING, related_name="+", **options)


class _Catalog(models.Model):
    id = models.UUIDField(primary_key=True)

    class Meta:
        abstract = True
        managed = False


class Machine(_Catalog):
    """A machine."""

    name = models.CharField(max_length=255)
    site = models.CharField(max_length=255)
    architecture = models.CharField(max_length=255)
    scheduler = models.CharField(max_length=255)
    gpu = models.BooleanField()
    notes = models.TextField(null=True)

    class Meta(_Catalog.Meta):
        db_table = "machines"


class Simulation(_Catalog):
    """A simulation."""

    name = models.CharField(max_length=255)
    case_name = models.CharField(max_length=255)
    compset = models.CharField(max_length=255)
    compset_alias = models.CharField(max_length=255)
    grid_name = models.CharField(max_length=255)
    grid_resolution = models.CharField(max_length=255)
    simulation_type = models.CharField(max_length=32)
    status = models.CharField(max_length=32)
    initialization_type = models.CharField(max_length=255)
    machine = _key("Machine")
    simulation_start_date = models.DateTimeField()
    parent = _key("self", null=True)
    description = models.TextField(null=True)
    campaign = models.CharField(max_length=255, null=True)
    experiment_type = models.CharField(max_length=255, null=True)
    group_name = models.CharField(max_length=255, null=True)
    simulation_end_date = models.DateTimeField(null=True)
    run_start_date = models.DateTimeField(null=True)
    run_end_date = models.DateTimeField(null=True)
    compiler = models.CharField(max_length=255, null=True)
    key_features = models.TextField(null=True)
    known_issues = models.TextField(null=True)
    notes_markdown = models.TextField(null=True)
    git_repository_url = models.CharField(max_length=2048, null=True)
    git_branch = models.CharField(max_length=255, null=True)
    git_tag = models.CharField(max_length=255, null=True)
    git_commit_hash = models.CharField(max_length=64, null=True)
    hpc_username = models.CharField(max_length=255, null=True)
    created_by = models.UUIDField(null=True)
    last_updated_by = models.UUIDField(null=True)
    extra = models.JSONField(null=True)

    class Meta(_Catalog.Meta):
        db_table = "simulations"


class Artifact(_Catalog):
    """An artifact."""

    simulation = _key("Simulation")
    kind = models.CharField(max_length=32)
    uri = models.CharField(max_length=2048)
    label = models.CharField(max_length=255, null=True)
    checksum = models.CharField(max_length=255, null=True)
    size_bytes = models.BigIntegerField(null=True)

    class Meta(_Catalog.Meta):
        db_table = "artifacts"


class ExternalLink(_Catalog):
    """A link."""

    simulation = _key("Simulation")
    kind = models.CharField(max_length=32)
    url = models.CharField(max_length=2048)
    label = models.CharField(max_length=255, null=True)

    class Meta(_Catalog.Meta):
        db_table = "external_links"
