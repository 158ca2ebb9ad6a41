"""Alembic's scripts: how a data base becomes what `tandem.server.db.tables` says.

Tables are written out in each revision: what a revision does never changes after its release.
"""
