"""The basket, and what becomes of it."""

from __future__ import annotations

from flask import Blueprint, abort, flash, g, redirect, render_template, request, url_for
from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from werkzeug.wrappers import Response

from shop import database
from shop.auth import for_customers
from shop.database import BasketLine, Item, Order, OrderLine

blueprint = Blueprint("basket", __name__)
MOST_OF_AN_ITEM = 99
INSERT = {"sqlite": sqlite.insert, "postgresql": postgresql.insert}
"""Both know ON CONFLICT: a customer may click twice at the same moment."""


@blueprint.get("/basket")
@for_customers
def basket() -> str:
    """What is in it."""
    lines = database.session().scalars(select(BasketLine).where(BasketLine.customer_id == g.customer.id)).all()
    total_cents = sum(line.quantity * line.item.price_cents for line in lines)
    return render_template("basket.html", lines=lines, total_cents=total_cents)


@blueprint.post("/basket")
@for_customers
def put_in() -> Response:
    """Put some of an item into it."""
    quantity = request.form.get("quantity", 1, int)
    if not 1 <= quantity <= MOST_OF_AN_ITEM:
        abort(400, f"A quantity is a number from 1 to {MOST_OF_AN_ITEM}.")
    session = database.session()
    item = session.get(Item, request.form.get("item", 0, int)) or abort(404)
    insert = INSERT[session.get_bind().dialect.name]
    session.execute(
        insert(BasketLine)
        .values(customer_id=g.customer.id, item_id=item.id, quantity=quantity)
        .on_conflict_do_update(
            index_elements=["customer_id", "item_id"], set_={"quantity": BasketLine.quantity + quantity}
        )
    )
    session.commit()
    return redirect(url_for("basket.basket"), 303)


@blueprint.post("/checkout")
@for_customers
def checkout() -> Response:
    """Turn the basket into an order. It is emptied and read in one step: nothing in it is bought twice."""
    session = database.session()
    taken = session.execute(
        delete(BasketLine)
        .where(BasketLine.customer_id == g.customer.id)
        .returning(BasketLine.item_id, BasketLine.quantity)
    ).all()
    if not taken:
        flash("The basket is empty.")
        return redirect(url_for("basket.basket"), 303)
    bought = session.scalars(select(Item).where(Item.id.in_([item for item, _ in taken])))
    prices = {item.id: item.price_cents for item in bought}
    order = Order(customer_id=g.customer.id, total_cents=sum(prices[item] * quantity for item, quantity in taken))
    order.lines = [OrderLine(item_id=item, quantity=quantity, price_cents=prices[item]) for item, quantity in taken]
    session.add(order)
    session.commit()
    return redirect(url_for("basket.order", number=order.id), 303)


@blueprint.get("/orders")
@for_customers
def orders() -> str:
    """The last orders of the customer."""
    found = select(Order).where(Order.customer_id == g.customer.id).order_by(Order.id.desc()).limit(20)
    return render_template("orders.html", orders=database.session().scalars(found).all())


@blueprint.get("/orders/<int:number>")
@for_customers
def order(number: int) -> str:
    """One order, for the customer whose it is."""
    found = database.session().get(Order, number)
    if found is None or found.customer_id != g.customer.id:
        abort(404)
    return render_template("order.html", order=found)
