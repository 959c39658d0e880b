"""Logging in and out."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Blueprint, flash, g, redirect, render_template, request, session, url_for
from sqlalchemy import select
from werkzeug.security import check_password_hash
from werkzeug.wrappers import Response

from shop import database
from shop.database import Customer

blueprint = Blueprint("auth", __name__)


@blueprint.before_app_request
def find_customer() -> None:
    """Who asks: a customer, or None."""
    number = session.get("customer")
    g.customer = database.session().get(Customer, number) if number else None


def for_customers(view: Callable[..., Any]) -> Callable[..., Any]:
    """A view that sends everybody else to the login."""

    @wraps(view)
    def wrapped(**values: Any) -> Any:
        if g.customer is None:
            return redirect(url_for("auth.login"))
        return view(**values)

    return wrapped


@blueprint.get("/login")
def login() -> str:
    """The form."""
    return render_template("login.html")


@blueprint.post("/login")
def log_in() -> Response | tuple[str, int]:
    """Start a session for whoever knows a customer's password."""
    found = database.session().scalar(select(Customer).where(Customer.email == request.form.get("email", "")))
    if found is None or not check_password_hash(found.password_hash, request.form.get("password", "")):
        flash("No customer has this address and this password.")
        return render_template("login.html"), 403
    session.clear()  # what was there before the login belongs to nobody
    session["customer"] = found.id
    return redirect(url_for("catalogue.items"), 303)


@blueprint.post("/logout")
def log_out() -> Response:
    """End the session."""
    session.clear()
    return redirect(url_for("catalogue.items"), 303)
