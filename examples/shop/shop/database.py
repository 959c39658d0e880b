"""The tables, and a session for each request that asks for one."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from flask import Flask, current_app, g
from sqlalchemy import Engine, ForeignKey, create_engine, event, func
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship


class Base(DeclarativeBase):
    """What all tables share."""


class Item(Base):
    """Something that can be bought."""

    __tablename__ = "item"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(index=True)
    description: Mapped[str]
    price_cents: Mapped[int]


class Customer(Base):
    """Somebody who can log in."""

    __tablename__ = "customer"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]


class BasketLine(Base):
    """So many of an item in the basket of a customer."""

    __tablename__ = "basket_line"

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"), primary_key=True)
    quantity: Mapped[int]
    item: Mapped[Item] = relationship(lazy="joined")


class Order(Base):
    """What a customer has bought, at the price of that day."""

    __tablename__ = "customer_order"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    placed_at: Mapped[datetime] = mapped_column(server_default=func.now())
    total_cents: Mapped[int]
    lines: Mapped[list[OrderLine]] = relationship(lazy="selectin")


class OrderLine(Base):
    """So many of an item in an order."""

    __tablename__ = "order_line"

    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("customer_order.id"), index=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("item.id"))
    quantity: Mapped[int]
    price_cents: Mapped[int]
    item: Mapped[Item] = relationship(lazy="joined")


def init_app(app: Flask) -> None:
    """Prepare connections to the app's database. None is opened yet: a server may fork after this."""
    engine = create_engine(app.config["DATABASE_URL"])
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
    app.extensions["engine"] = engine
    app.teardown_appcontext(_close)


def create_tables(engine: Engine) -> None:
    """Make the tables that are not there, and the folder of the file that SQLite keeps them in."""
    if engine.dialect.name == "sqlite" and engine.url.database:
        Path(engine.url.database).parent.mkdir(parents=True, exist_ok=True)
    Base.metadata.create_all(engine)


def session() -> Session:
    """The session of this request."""
    if "session" not in g:
        g.session = Session(current_app.extensions["engine"])
    opened: Session = g.session
    return opened


def _configure_sqlite(connection: Any, _record: object) -> None:
    # Readers do not wait for the one who writes, and a second writer waits for the first instead of failing.
    for setting in ("journal_mode = WAL", "synchronous = NORMAL", "busy_timeout = 5000", "foreign_keys = ON"):
        connection.execute(f"PRAGMA {setting}")


def _close(_error: BaseException | None) -> None:
    if opened := g.pop("session", None):
        opened.close()
