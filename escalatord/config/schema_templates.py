"""The language of templates: in which words a tier's people are told, by kind of channel and language."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from escalatord.config.fields import refuse
from escalatord.config.schema_base import Part, short_form
from escalatord.core.template import LANGUAGE_DEFAULT, SEGMENTS_MAX, WORDED_KINDS
from escalatord.templating.budget import SOURCE_CHARACTERS_MAX

LANGUAGES_MAX = 20
LANGUAGE_PATTERN = r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8})*"
SUBJECT_CHARACTERS_MAX = 500

Language = Annotated[str, StringConstraints(pattern=f"^{LANGUAGE_PATTERN}$", max_length=32)]
Source = Annotated[str, StringConstraints(min_length=1, max_length=SOURCE_CHARACTERS_MAX)]


class SpokenPart(Part):
    """What a call says: a sentence a line; how to answer is said after it."""

    text: Source = Field(description="the template")


class ChatPart(Part):
    """What a chat message says; the first line is what a lock screen shows."""

    text: Source = Field(description="the template")


class SmsPart(Part):
    """What a text message says."""

    text: Source = Field(description="the template")
    segments: Annotated[int, Field(ge=1, le=SEGMENTS_MAX)] = Field(1, description="how many parts it may have and cost")


class MailPart(Part):
    """What a mail says."""

    subject: Annotated[str, StringConstraints(min_length=1, max_length=SUBJECT_CHARACTERS_MAX)] = Field(
        description="its subject, a template too"
    )
    text: Source = Field(description="the template")


def _short(part: type[Part]) -> BeforeValidator:
    return BeforeValidator(short_form("text", str), json_schema_input_type=Source | part)


class TemplatePart(Part):
    """A named set of wordings, for one audience."""

    audience: Literal["responder", "management", "public"] | None = Field(
        None, description="for whom it is; default: its name, when that is one of the three"
    )
    notices: list[Literal["page", "remind", "ack_question", "acked", "stand_down", "update"]] = Field(
        ["page", "remind"], min_length=1, description="the messages it words; the others keep the built-in text"
    )
    language: Language = Field(LANGUAGE_DEFAULT, description="the one for readers whose languages it does not have")
    sms: dict[Language, Annotated[SmsPart, _short(SmsPart)]] = Field({}, max_length=LANGUAGES_MAX)
    call: dict[Language, Annotated[SpokenPart, _short(SpokenPart)]] = Field({}, max_length=LANGUAGES_MAX)
    chat: dict[Language, Annotated[ChatPart, _short(ChatPart)]] = Field({}, max_length=LANGUAGES_MAX)
    mail: dict[Language, MailPart] = Field({}, max_length=LANGUAGES_MAX)

    @model_validator(mode="after")
    def _some(self) -> "TemplatePart":
        if not any(getattr(self, kind.value) for kind in WORDED_KINDS):
            raise refuse("E012", "there is no text in it", "write one, like chat: {en: …}")
        return self
