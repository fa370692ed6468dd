"""Django as `startproject` leaves it, over the portal's tables: the settings of the peers in `bench.peers_pages`.

Middleware, templates, sessions (in the database), sign-in and permissions are startproject's; only the models, the
database and the keys are the portal's, so that both sides answer from the same rows.
"""

from config.settings import *  # noqa: F403
from config.settings import INSTALLED_APPS as PORTAL_APPS

ROOT_URLCONF = "bench.peers_pages"
INSTALLED_APPS = [
    "django.contrib.admin.apps.SimpleAdminConfig" if app == "config.admin_site.PortalAdminConfig" else app
    for app in PORTAL_APPS
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",  # allauth, which comes with the models, starts with nothing less
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]
FORM_RENDERER = "django.forms.renderers.DjangoTemplates"
SESSION_ENGINE = "django.contrib.sessions.backends.db"
AUTHENTICATION_BACKENDS = ["django.contrib.auth.backends.ModelBackend"]
