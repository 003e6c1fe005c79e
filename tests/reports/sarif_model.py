"""The part of SARIF 2.1.0 that the reports use, as strict types: a field that is not here is a mistake.

Names, types, ranges and enumerations are those of sections 3.13 to 3.58 of the specification; what GitHub adds to them
(https://docs.github.com/en/code-security/reference/code-scanning/sarif-files/sarif-support-for-code-scanning) is said
beside it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

NonEmpty = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]
Position = Annotated[int, Meta(ge=1)]
Uri = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+$")]
AbsoluteUri = Annotated[str, Meta(pattern=r"^[a-z]+://[A-Za-z0-9._~:/?#@!$&'()*+,;=%-]+$")]
Level = Literal["none", "note", "warning", "error"]


class Strict(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """Unknown fields are refused."""


class Message(Strict):
    text: NonEmpty


class Description(Strict):
    """GitHub: at most 1024 characters."""

    text: Annotated[str, Meta(min_length=1, max_length=1024)]


class Help(Strict):
    text: NonEmpty
    markdown: NonEmpty


class Configuration(Strict):
    enabled: bool
    level: Level


class RuleProperties(Strict):
    """GitHub: at most 20 tags; its own words for precision and severity."""

    tags: Annotated[list[NonEmpty], Meta(max_length=20)]
    precision: Literal["very-high", "high", "medium", "low"]
    problem_severity: Literal["error", "warning", "recommendation"] = msgspec.field(name="problem.severity")


class Rule(Strict):
    """GitHub: a name has at most 255 characters."""

    id: NonEmpty
    name: Annotated[str, Meta(min_length=1, max_length=255)]
    short_description: Description
    full_description: Description
    help: Help
    default_configuration: Configuration
    properties: RuleProperties
    help_uri: AbsoluteUri | UnsetType = UNSET


class Driver(Strict):
    name: NonEmpty
    rules: list[Rule]
    semantic_version: Annotated[str, Meta(pattern=r"^\d+\.\d+\.\d+$")] | UnsetType = UNSET
    information_uri: AbsoluteUri | UnsetType = UNSET


class Tool(Strict):
    driver: Driver


class ArtifactLocation(Strict):
    uri: Uri
    uri_base_id: NonEmpty | UnsetType = UNSET


class Region(Strict):
    start_line: Position
    start_column: Position | UnsetType = UNSET
    end_line: Position | UnsetType = UNSET
    end_column: Position | UnsetType = UNSET


class PhysicalLocation(Strict):
    artifact_location: ArtifactLocation
    region: Region | UnsetType = UNSET


class LogicalLocation(Strict):
    name: str
    kind: NonEmpty
    fully_qualified_name: NonEmpty


class Location(Strict):
    physical_location: PhysicalLocation
    id: Count | UnsetType = UNSET
    logical_locations: list[LogicalLocation] | UnsetType = UNSET


class ResultProperties(Strict):
    overlays: list[str]
    exact: bool


class Fingerprints(Strict):
    """GitHub tells alerts apart by the first."""

    primary_location_line_hash: NonEmpty
    policy_finding: NonEmpty = msgspec.field(name="policyFinding/v1")


class Result(Strict):
    """GitHub: at least one place, and no more than one unless all of them have to be changed."""

    rule_id: NonEmpty
    level: Level
    message: Message
    locations: Annotated[list[Location], Meta(min_length=1, max_length=1)]
    partial_fingerprints: Fingerprints
    properties: ResultProperties
    rule_index: Count | UnsetType = UNSET
    related_locations: list[Location] | UnsetType = UNSET


class AssociatedRule(Strict):
    id: NonEmpty
    index: Count | UnsetType = UNSET


class Notification(Strict):
    level: Level
    message: Message
    locations: list[Location] | UnsetType = UNSET
    associated_rule: AssociatedRule | UnsetType = UNSET


class Invocation(Strict):
    execution_successful: bool
    exit_code: int
    tool_execution_notifications: list[Notification]


class BaseId(Strict):
    description: Message


class SarifRun(Strict):
    """GitHub: at most 25,000 results and 25,000 rules."""

    tool: Tool
    column_kind: Literal["utf16CodeUnits", "unicodeCodePoints"]
    original_uri_base_ids: dict[str, BaseId]
    invocations: list[Invocation]
    results: Annotated[list[Result], Meta(max_length=25_000)]
    properties: dict[str, Any]


class Log(Strict):
    version: Literal["2.1.0"]
    runs: Annotated[list[SarifRun], Meta(min_length=1, max_length=1)]
    schema: AbsoluteUri = msgspec.field(name="$schema")


def decode(text: str) -> SarifRun:
    """The one run of a log. Raises msgspec.ValidationError where it is not what the specification says."""
    return msgspec.json.decode(text.encode(errors="backslashreplace"), type=Log).runs[0]
