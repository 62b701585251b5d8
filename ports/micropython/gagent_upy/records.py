"""The records that a chip keeps, by name: `identity` and `networks`. How they survive a power cut is in `storage`.

They are read once and written a few times in a life: what does it is loaded for that.
"""

from .loading import let_go


def load(name) -> tuple:
    """(the record or None, how many of its two files are damaged)."""
    from . import storage

    found = storage.load(name)
    let_go("gagent_upy.storage")
    return found


def save(name, record, log):
    """Keep `record` from here on; that the flash does not take it is told, and then the last one stays."""
    try:
        from . import storage

        storage.save(name, record)
    except OSError as error:
        log.say("the %s cannot be stored: error %s" % (name, error.args[0]))
    finally:
        let_go("gagent_upy.storage")
