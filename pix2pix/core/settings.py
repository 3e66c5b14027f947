"""The base of all typed settings: a part of the configuration that constructs nothing itself."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

Channels = Annotated[int, Field(ge=1, le=2**16)]  # of a picture or of a network's features


class Settings(BaseModel):
    """A part of the configuration without `_target_`: typed, frozen, without conversions between types.

    Unknown settings are kept, so that runs of later versions can be read; `pix2pix.config.check` refuses them.
    """

    model_config = ConfigDict(extra="allow", frozen=True, strict=True)

    def replace(self, **settings: Any) -> Self:
        """A copy with other values for some settings, which are not checked again."""
        return self.model_copy(update=settings)
