"""The errors a person may meet. Each says in one sentence what happened, where, and what to do."""


class BmaProgressError(Exception):
    """Something a user can mend; its text is the whole message."""


class SettingsError(BmaProgressError):
    """A setting has a wrong name or value."""


class PortalError(BmaProgressError):
    """The portal cannot be harvested now."""


class StoreError(BmaProgressError):
    """A store cannot be used as asked."""


class StoreBusyError(StoreError):
    """Another process writes to the store."""


class StoreDamagedError(StoreError):
    """Files of a store are not what its manifests say."""
