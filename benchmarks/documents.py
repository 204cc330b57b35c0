"""A generated `simulations.json`: N plausible simulations of five rows each, the same for every run.

A smaller document is the beginning of a larger one, and an edited one differs in 1 % of its elements.
"""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROWS_EACH = 5
"""The simulation, two artifacts, two links."""

EDITED_EACH = 100
"""One element of so many is edited."""

_FAMILY = 10
_MODELS = (
    ("v1", "ne30_oECv3_ICG", "ne30 (~110 km) atmosphere and land, 30–60 km ocean and ice", "CAM5%CMIP6"),
    ("v2", "ne30pg2_EC30to60E2r2", "ne30pg2 (~110 km) atmosphere, 30–60 km ocean and ice", "EAM%CMIP6"),
    ("v2_1", "ne30pg2_EC30to60E2r2", "ne30pg2 (~110 km) atmosphere, 30–60 km ocean and ice", "EAM%CMIP6"),
    (
        "v3",
        "ne30pg2_r05_IcoswISC30E3r5",
        "ne30pg2 (~110 km) atmosphere, 0.5° land, 30 km ocean and ice",
        "EAM%CMIP6",
    ),
)
_MACHINES = ("perlmutter", "compy", "chrysalis", "anvil", "cori", "edison", "theta", "derecho")
_USERS = ("hmarlow", "tokafor", "mlindqvist", "abenitez", "hgrau", "pnaidoo", "rsato", "kwhitlow")
_STATUSES = ("completed", "completed", "completed", "running", "queued", "failed")
_NOTES = (
    "Branched from the control at the year given; forcing files are those of the release.",
    "Twin of the member before it, with a perturbation of round-off size in the initial temperature.",
    "Extends the earlier segment after a change of compilers; not bit-for-bit, within the ensemble's spread.",
)
_ISSUES = (
    "Daily history of December is truncated; the monthly means are complete.",
    "Runs slightly warm: the net imbalance at the top stays positive after 50 years.",
)
_DOCS = "https://docs.e3sm.org/E3SM/"


def simulations(count: int) -> Iterator[dict[str, Any]]:
    """The elements of the document, in order; a parent comes before its children."""
    dice = random.Random("simulations")  # noqa: S311 -- plausible values, not secrets
    for index in range(count):
        if index % _FAMILY == 0:
            family = _Family(index // _FAMILY, dice)
        yield family.member(index % _FAMILY, dice)


def edited(count: int) -> Iterator[dict[str, Any]]:
    """The same after an edit of 1 %: all five rows of an element, and every tenth gets another link."""
    for index, element in enumerate(simulations(count)):
        if index % EDITED_EACH == EDITED_EACH // 2:
            _edit(element, another_link=index // EDITED_EACH % 10 == 0)
        yield element


def write(path: Path, elements: Iterator[dict[str, Any]]) -> int:
    """Write a document the way people do, without holding it in memory; returns its bytes."""
    with path.open("w", encoding="utf-8") as file:
        separator = "[\n  "
        for element in elements:
            text = json.dumps(element, indent=2, ensure_ascii=False)
            file.write(separator + text.replace("\n", "\n  "))
            separator = ",\n  "
        file.write("\n]\n")
    return path.stat().st_size


class _Family:
    """A control run, the historical runs that branch from it, and the projections that follow them."""

    def __init__(self, number: int, dice: random.Random) -> None:
        self.number = number
        self.version, self.grid, self.resolution, self.atmosphere = dice.choice(_MODELS)
        self.machine, self.user = dice.choice(_MACHINES), dice.choice(_USERS)
        self.began = datetime(2018, 1, 1, tzinfo=UTC) + timedelta(hours=dice.randrange(60_000))

    def member(self, place: int, dice: random.Random) -> dict[str, Any]:
        """The simulation at a place in the family: 0 the control, 1 to 5 historical, then projected."""
        experiment, kind, begin, end = self._experiment(place)
        case = self._case(place)
        started = self.began + timedelta(days=9 * place, minutes=dice.randrange(1440))
        status = dice.choice(_STATUSES)
        folder = f"/lcrc/group/e3sm/{self.user}/E3SM_simulations/{case}"
        element = {
            "name": f"E3SM {self.version} {experiment}, family {self.number}, member {place}",
            "caseName": case,
            "compset": f"{experiment}_{self.atmosphere}_ELM%SPBC_MPASSI_MPASO_MOSART_SGLC_SWAV",
            "compsetAlias": f"WCYCL_{experiment}",
            "gridName": self.grid,
            "gridResolution": self.resolution,
            "simulationType": kind,
            "status": status,
            "initializationType": "hybrid",
            "machine": {"name": self.machine},
            "simulationStartDate": begin,
            "description": f"{dice.choice(_NOTES)} Branch year {dice.randrange(1, 500)}.",
            "campaign": f"E3SM {self.version} DECK",
            "experimentType": experiment,
            "groupName": f"{self.version}.LR.{experiment}",
            "runStartDate": _text(started),
            "compiler": dice.choice(("intel", "gnu", "oneapi-ifx")),
            "gitRepositoryUrl": "https://github.com/E3SM-Project/E3SM",
            "gitBranch": f"maint-{self.version[1]}.0",
            "gitCommitHash": f"{dice.getrandbits(160):040x}",
            "hpcUsername": self.user,
            "extra": {"variantLabel": f"r{place}i1p1f1", "branchYear": dice.randrange(1, 500)},
            "artifacts": [
                {
                    "kind": "output",
                    "uri": f"{folder}/archive",
                    "label": "Raw component output",
                    "sizeBytes": dice.randrange(10**9, 10**14),
                },
                {
                    "kind": "run_script",
                    "uri": f"{folder}/case_scripts/run.{case}.sh",
                    "label": "Provenance copy of the run script",
                    "checksum": f"sha256:{dice.getrandbits(256):064x}",
                    "sizeBytes": dice.randrange(8_000, 20_000),
                },
            ],
            "links": [
                {"kind": "diagnostic", "url": f"https://catalog.example.org/diags/{case.lower()}/"},
                {"kind": "docs", "url": _DOCS, "label": "E3SM user guides"},
            ],
        }
        if place:
            element["parent"] = self._reference(0 if place <= 5 else place - 5)
        if status == "completed":
            element["simulationEndDate"] = end
            element["runEndDate"] = _text(started + timedelta(days=dice.randrange(5, 90)))
        if dice.random() < 0.1:
            element["knownIssues"] = dice.choice(_ISSUES)
        return element

    def _experiment(self, place: int) -> tuple[str, str, str, str]:
        if place == 0:
            return "piControl", "production", "0001-01-01T00:00:00Z", "0501-01-01T00:00:00Z"
        if place <= 5:
            return "historical", "production", "1850-01-01T00:00:00Z", "2015-01-01T00:00:00Z"
        return "ssp370", "projection", "2015-01-01T00:00:00Z", "2101-01-01T00:00:00Z"

    def _case(self, place: int) -> str:
        return f"{self.version}.LR.{self._experiment(place)[0]}_{self.number:05d}_{place:02d}"

    def _reference(self, place: int) -> dict[str, Any]:
        begin = self._experiment(place)[2]
        return {
            "caseName": self._case(place),
            "machine": {"name": self.machine},
            "simulationStartDate": begin,
        }


def _text(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")


def _edit(element: dict[str, Any], *, another_link: bool) -> None:
    element["status"] = "failed" if element["status"] == "completed" else "completed"
    element["knownIssues"] = "The restart of the last decade was overwritten; see the label of the output."
    for artifact in element["artifacts"]:
        artifact["label"] = "Moved to the archive"
    for link in element["links"]:
        link["label"] = "Moved with the case"
    if another_link:
        element["links"][0]["url"] += "index.html"
