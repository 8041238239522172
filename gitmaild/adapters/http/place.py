"""Where the door is."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where the door is: what a browser has in its address bar."""

    host: str
    port: int
    is_tls: bool = False

    @property
    def scheme(self) -> str:
        return "https" if self.is_tls else "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://{f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"
