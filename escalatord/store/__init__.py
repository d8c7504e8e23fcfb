"""One SQL database, synchronous SQLAlchemy Core in its own thread; core values in, core values out."""
