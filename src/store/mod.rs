//! The database and nothing else: embedded SQLite, migrations, journal, ledger, reservations.
