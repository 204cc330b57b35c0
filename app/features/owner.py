"""Who owns seeded rows: the account that `created_by` falls back to where the document's is unknown."""

from sqlalchemy import func, or_, select

from app.features.simulations import Simulation
from app.features.users import User
from seedrail import StandIn, shown


def seed_owner(name: str, setting: str) -> tuple[StandIn, ...]:
    """The active account of an email address, in whatever case, or a service's name.

    `setting` is what gave the name, for the sentence where there is no such account.
    """
    called = or_(func.lower(User.email) == func.lower(name), User.service_name == name)
    missing = (
        f"no active account has the email or service name {shown(name)}, which {setting} makes the owner of"
        " seeded rows: create or activate it first (a new database gets its schema alone before), or leave"
        f" {setting} out"
    )
    ids = select(User.id).where(called, User.is_active)
    return (StandIn(Simulation.__tablename__, "created_by", ids, missing),)
