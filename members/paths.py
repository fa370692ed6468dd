"""The copy of a union's path on its memberships: lists and scopes read a membership alone, in the order of the tree.

The database keeps it, whoever writes: a membership that comes without a path or changes its union takes the union's,
and a union that moves gives its members the new one. On PostgreSQL the union's row is locked against a move until the
membership is committed; SQLite has one writer.
"""

from members.models import Membership
from unions.models import Union

M, U = Membership._meta.db_table, Union._meta.db_table

FUNCTIONS = {
    "members_take_path": f"""BEGIN
        SELECT path INTO NEW.path FROM {U} WHERE id = NEW.union_id FOR KEY SHARE;
        NEW.path := COALESCE(NEW.path, '');
        RETURN NEW;
    END""",
    "members_give_path": f"""BEGIN
        UPDATE {M} SET path = NEW.path WHERE union_id = NEW.id;
        RETURN NULL;
    END""",
}


def triggers(vendor):
    """Return what `core.triggers` creates for the paths."""
    if vendor == "sqlite":
        right = f"(SELECT path FROM {U} WHERE id = NEW.union_id)"
        take = f"BEGIN UPDATE {M} SET path = {right} WHERE id = NEW.id; END"
        come = f"AFTER INSERT ON {M} WHEN NEW.path = '' AND {right} IS NOT NULL {take}"
        change = f"AFTER UPDATE OF union_id, path ON {M} WHEN NEW.path <> {right} {take}"
        give = f"AFTER UPDATE OF path ON {U} BEGIN UPDATE {M} SET path = NEW.path WHERE union_id = NEW.id; END"
    else:
        take = "EXECUTE FUNCTION members_take_path()"
        come = f"BEFORE INSERT ON {M} FOR EACH ROW WHEN (NEW.path = '') {take}"
        change = f"BEFORE UPDATE OF union_id, path ON {M} FOR EACH ROW {take}"
        give = f"AFTER UPDATE OF path ON {U} FOR EACH ROW EXECUTE FUNCTION members_give_path()"
    return {M: {f"{M}_path_taken": come, f"{M}_path_kept": change}, U: {f"{U}_path_given": give}}
