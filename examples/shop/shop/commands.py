"""flask --app shop seed, flask --app shop reset."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from flask import Flask, current_app
from flask.cli import with_appcontext
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session
from werkzeug.security import generate_password_hash

from shop.database import BasketLine, Customer, Item, Order, OrderLine, create_tables


def init_app(app: Flask) -> None:
    """Make the commands known to `flask`."""
    app.cli.add_command(seed)
    app.cli.add_command(reset)


@click.command()
@with_appcontext
def seed() -> None:
    """Make the tables, and fill them with the items and customers of seed/, unless that was done before."""
    engine = current_app.extensions["engine"]
    create_tables(engine)
    with Session(engine) as session:
        if session.scalar(select(func.count()).select_from(Item)):
            return
        for row in _rows("items"):
            session.add(Item(**{**row, "id": int(row["id"]), "price_cents": int(row["price_cents"])}))
        for row in _rows("customers"):
            session.add(Customer(email=row["email"], password_hash=generate_password_hash(row["password"])))
        session.commit()


@click.command()
@with_appcontext
def reset() -> None:
    """Forget all baskets and orders."""
    with Session(current_app.extensions["engine"]) as session:
        for table in (BasketLine, OrderLine, Order):
            session.execute(delete(table))
        session.commit()


def _rows(name: str) -> Iterator[dict[str, Any]]:
    path = Path(current_app.root_path).parent / "seed" / f"{name}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
