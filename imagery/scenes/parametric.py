"""What an analysis and a study have in common: an object whose fields are its parameters; with others it is another object."""

from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from grid.errors import InvalidInput


class Parametric(BaseModel):
    """Base of both. `described_at` is the address where the bounds of its parameters stand."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: ClassVar[str]
    version: ClassVar[str]
    title: ClassVar[str]
    title_en: ClassVar[str]
    described_at: ClassVar[str]

    def with_parameters(self, parameters: dict[str, Any]) -> Self:
        """The same with other parameters. InvalidInput names the wrong one and its bounds."""
        try:
            return type(self)(**parameters)
        except ValidationError as error:
            first = error.errors()[0]
            name = ".".join(map(str, first["loc"]))
            raise InvalidInput(
                f"parameter {name!r} of {self.id}: {first['msg']} (given: {str(first['input'])[:80]!r})", remedy=f"see {self.described_at} for the bounds of {name!r}"
            ) from error
