"""A look into a database that somebody else may be using: read only, nothing locked, nothing migrated."""

from collections.abc import Sequence

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from escalatord.core.rules import AlertRecord
from escalatord.errors import StoreRefusedError
from escalatord.store import pragmas
from escalatord.store.tx import Tx

BUSY_SECONDS = 5.0


def recorded_alerts(url: str, limit: int) -> Sequence[AlertRecord]:
    """Return the alerts whose episodes reached a daemon last, newest first, from its database.

    Raise StoreRefusedError with a sentence when there is no such database, or it is not of this version.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreRefusedError("the storage address is not one; write sqlite:////path/to/escalatord.db") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        raise StoreRefusedError("only a SQLite database can be looked into; write sqlite:////path/to/escalatord.db")
    # mode=ro: opening a path that is not there would make an empty database
    engine = pragmas.reader(
        parsed.set(database=f"file:{parsed.database}", query={"mode": "ro", "uri": "true"}), BUSY_SECONDS
    )
    try:
        with engine.connect() as connection, connection.begin():
            return Tx(connection).recent_alerts(limit)
    except DBAPIError as error:
        trouble = pragmas.trouble_of(error)
        say = trouble[1] if trouble else "it is not of this version of escalatord"
        raise StoreRefusedError(f"{parsed.database} cannot be read: {say}") from error
    finally:
        engine.dispose()
