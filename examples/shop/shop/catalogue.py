"""What can be bought."""

from __future__ import annotations

from flask import Blueprint, abort, render_template, request
from sqlalchemy import func, select, text

from shop import database
from shop.database import Item

blueprint = Blueprint("catalogue", __name__)
ITEMS_PER_PAGE = 12


@blueprint.get("/")
def items() -> str:
    """A page of the catalogue, or of what a search found in it."""
    page, wanted = max(request.args.get("page", 1, int), 1), request.args.get("q", "")
    found = select(Item).where(Item.name.icontains(wanted, autoescape=True)) if wanted else select(Item)
    count = database.session().scalar(select(func.count()).select_from(found.subquery())) or 0
    shown = database.session().scalars(
        found.order_by(Item.id).limit(ITEMS_PER_PAGE).offset((page - 1) * ITEMS_PER_PAGE)
    )
    pages = -(-count // ITEMS_PER_PAGE)
    return render_template("items.html", items=shown.all(), count=count, page=page, pages=pages, wanted=wanted)


@blueprint.get("/items/<int:number>")
def item(number: int) -> str:
    """One item."""
    found = database.session().get(Item, number) or abort(404)
    return render_template("item.html", item=found)


@blueprint.get("/health")
def health() -> str:
    """Whether the database answers."""
    database.session().execute(text("SELECT 1"))
    return "fine"
