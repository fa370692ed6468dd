"""The authentication backend: sign-in by allauth, permissions by appointments."""

from allauth.account.auth_backends import AuthenticationBackend

from unions.roles import EVERY_PERMISSION, GRANTS, appointments_of, paths_for


def _path(obj):
    """Return the tree path of the union `obj` belongs to, or None if it belongs to no union."""
    scope_path = getattr(type(obj)._default_manager.all(), "scope_path", None)
    if scope_path is None:
        return None
    for name in scope_path.split("__"):
        obj = getattr(obj, name, None)
    return obj


class AppointmentBackend(AuthenticationBackend):
    """`user.has_perm(perm)`: somewhere; `user.has_perm(perm, obj)`: at that object's union."""

    known_roles = frozenset(GRANTS)

    def reach(self, user, perm):
        return paths_for(user, perm)

    def roles(self, user):
        return {role for role, _path in appointments_of(user)}

    def has_perm(self, user, perm, obj=None):
        reach = paths_for(user, perm)
        if obj is None:
            return bool(reach)
        if hasattr(obj, "within"):
            return obj.within(reach)
        path = _path(obj)
        return reach.whole if path is None else reach.covers(path)

    def get_all_permissions(self, user, obj=None):
        return {perm for perm in EVERY_PERMISSION if self.has_perm(user, perm, obj)}

    get_user_permissions = get_all_permissions

    def get_group_permissions(self, user, obj=None):
        return set()

    def has_module_perms(self, user, app_label):
        return any(perm.startswith(f"{app_label}.") for perm in self.get_all_permissions(user))
