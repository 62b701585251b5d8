"""What `gagent` raises: `ConfigError` when a stored record or an answer of the cloud cannot be used."""


class GAgentError(Exception):
    pass


class ConfigError(GAgentError):
    pass
