"""Django settings: everything that differs between machines comes from the environment or `.env`."""

from pathlib import Path
from urllib.parse import quote

import environ
from csp.constants import NONCE, NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from config import valkey

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = BASE_DIR / "var"
PORTAL_LOCK = VAR_DIR / "run" / "portal.lock"  # held by `manage.py portal` while it runs

env = environ.Env()
env.read_env(env.str("ENV_FILE", default=str(BASE_DIR / ".env")))  # a real environment variable wins over the file


def required(name):
    """Return the environment variable `name`, or stop with the sentence that says what to do."""
    value = env.str(name, default="")
    if not value:
        raise ImproperlyConfigured(f"{name} is not set: run `make setup`, which writes .env with fresh secrets.")
    return value


# --- Secrets ----------------------------------------------------------------------------------------------
SECRET_KEY = required("SECRET_KEY")
# Key rings «id:base64,id:base64»: the first entry is the one in use, the others are still read.
FIELD_KEYS = required("FIELD_KEYS")
INDEX_KEYS = required("INDEX_KEYS")
AUDIT_KEY = required("AUDIT_KEY")

# --- Where we are -----------------------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
PUBLIC_URL = env.str("PUBLIC_URL", default="http://127.0.0.1:8000").rstrip("/")  # printed in QR codes
HTTPS = PUBLIC_URL.startswith("https://")
FEDERATION_NAME = env.str("FEDERATION_NAME", default="云河市总工会")
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "config",  # for its commands
    "core",
    "unions",
    "members",
    "assistance",
    "config.admin_site.PortalAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.forms",  # the widgets' templates, found by our form renderer
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "django_filters",
    "django_tables2",
    "django_htmx",
    "template_partials.apps.SimpleAppConfig",
    "import_export",
    "csp",
]

MIDDLEWARE = [
    "core.middleware.RequestIdMiddleware",
    "core.logs.AccessLogMiddleware",
    "core.views.health.HealthMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "csp.middleware.CSPMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "core.signin.SessionLifetimeMiddleware",
    "core.signin.SignInRequiredMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "core.signin.FirstStepsMiddleware",
    "core.examination.LookOnceMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            [
                                "django.template.loaders.filesystem.Loader",
                                "django.template.loaders.app_directories.Loader",
                            ],
                        )
                    ],
                )
            ],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "config.menu.frame",
            ],
            "builtins": ["core.templatetags.portal", "template_partials.templatetags.partials"],
        },
    }
]
FORM_RENDERER = "core.forms.PortalRenderer"

# --- Database ---------------------------------------------------------------------------------------------
DATABASES = {"default": env.db("DATABASE_URL", default=f"sqlite:///{quote(str(VAR_DIR / 'portal.sqlite3'))}")}
DATABASE = DATABASES["default"]
TEST_DB_SUFFIX = env.str("TEST_DB_SUFFIX", default="")
if DATABASE["ENGINE"].endswith("sqlite3"):
    DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",  # a writer takes its lock at once: no upgrade, no deadlock
        "timeout": 30,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
    # A file, not memory: the tests start real worker processes that open the same database.
    DATABASE["TEST"] = {"NAME": VAR_DIR / f"test{TEST_DB_SUFFIX}.sqlite3"}
else:
    DATABASE["CONN_MAX_AGE"] = 600
    DATABASE["CONN_HEALTH_CHECKS"] = True
    DATABASE.setdefault("OPTIONS", {}).setdefault("connect_timeout", 5)  # seconds: a silent server holds nobody up
    DATABASE["TEST"] = {"NAME": f"test_portal{TEST_DB_SUFFIX}"}

# --- Broker, cache, sessions ------------------------------------------------------------------------------
REDIS_URL = env.str("REDIS_URL", default=valkey.url(valkey.socket_path(VAR_DIR)))
CACHES = {
    "default": {
        "BACKEND": "core.cache.ForgivingRedisCache",  # an unreachable cache answers "empty"
        "LOCATION": REDIS_URL,
        "OPTIONS": {"socket_connect_timeout": 1, "socket_timeout": 2},
        "KEY_PREFIX": "portal",
    },
    "limits": {  # failed sign-ins: a lock-out must hold while Redis is away
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "core_limits",
        "OPTIONS": {"MAX_ENTRIES": 100_000},  # nobody floods a lock-out away
    },
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
# core.signin.SessionLifetimeMiddleware ends sessions (rulebook §6.3 [DESIGN]); the row in the database outlives the
# idle time, so that the user is told why.
SESSION_IDLE_SECONDS = env.int("SESSION_IDLE_SECONDS", default=15 * 60)
SESSION_ABSOLUTE_SECONDS = env.int("SESSION_ABSOLUTE_SECONDS", default=8 * 3600)
SESSION_COOKIE_AGE = SESSION_ABSOLUTE_SECONDS
SESSION_SAVE_EVERY_REQUEST = False  # that middleware renews it at most once a minute
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_EXPIRE_AT_BROWSER_CLOSE = True

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1) if REDIS_URL.startswith("unix://") else REDIS_URL
CELERY_TIMEZONE = "Asia/Shanghai"
CELERY_TASK_IGNORE_RESULT = True  # a job's state is its row
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_PUBLISH_RETRY = False  # a broker that is down must not hold a request
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None  # for ever: a worker is there again when the broker is
CELERY_BEAT_SCHEDULER = "config.timetable:SteadyScheduler"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "visibility_timeout": 3600,
    "max_retries": 0,  # kombu would otherwise try for six seconds, in the middle of a request
}
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 380_000  # KB: drawing leaves a little behind with every slice
CELERY_DB_REUSE_MAX = 100  # else Celery's Django fixup opens a connection per task
JOB_STALE_SECONDS = env.int("JOB_STALE_SECONDS", default=120)  # no heartbeat for so long: wake the job again

# --- Sign-in ----------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "core.User"
AUTHENTICATION_BACKENDS = ["unions.backends.AppointmentBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "desk"
ACCOUNT_ADAPTER = "core.signin.PortalAccountAdapter"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_RATE_LIMITS = {
    # 5 failures lock the account for 15 minutes, and 30 the address (rulebook §6.3 [DESIGN]; higher, because
    # one office often shares one address).
    "login_failed": env.str("LOGIN_FAILED_RATE", default="30/15m/ip,5/15m/key"),
    "login": env.str("LOGIN_RATE", default="60/m/ip"),
}
ACCOUNT_FORMS = {"change_password": "core.signin_forms.OwnPasswordForm"}
MFA_FORMS = {"activate_totp": "core.signin_forms.SetUpForm", "authenticate": "core.signin_forms.CodeForm"}
MFA_ADAPTER = "core.signin.PortalMFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = FEDERATION_NAME
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "core.signin.LengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "core.signin.CharacterClassesValidator"},
]

# --- Language, time, files --------------------------------------------------------------------------------
LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True
STATIC_URL = "static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = env.path("FILES_ROOT", default=str(VAR_DIR / "files"))()
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = DEBUG
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 3000  # an enrol grid sends up to 201 rows of 8
FILE_UPLOAD_HANDLERS = [
    "core.uploads.MeasuredUpload",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "core.uploads.TemporaryUpload",
]
IMPORT_MAX_BYTES = env.int("IMPORT_MAX_BYTES", default=60 * 1024 * 1024)
IMPORT_MAX_ROWS = env.int("IMPORT_MAX_ROWS", default=300_000)

EMAIL = env.email("EMAIL_URL", default="consolemail://")
EMAIL_BACKEND, EMAIL_HOST, EMAIL_PORT = EMAIL["EMAIL_BACKEND"], EMAIL["EMAIL_HOST"], EMAIL["EMAIL_PORT"]
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = EMAIL["EMAIL_HOST_USER"], EMAIL["EMAIL_HOST_PASSWORD"]
EMAIL_USE_TLS, EMAIL_USE_SSL = EMAIL.get("EMAIL_USE_TLS", False), EMAIL.get("EMAIL_USE_SSL", False)
EMAIL_TIMEOUT = 20  # seconds: a mail server that is silent holds nobody up
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="portal@localhost")

# --- Security headers -------------------------------------------------------------------------------------
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_HSTS_SECONDS = 31536000 if HTTPS else 0
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", default=HTTPS)
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "core.views.errors.csrf_failure"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "base-uri": [NONE],
        "manifest-src": [SELF],
    }
}
# Who brings this token is told the figures behind /health/ready too, from wherever; empty: this machine alone is.
HEALTH_TOKEN = env.str("HEALTH_TOKEN", default="")
# Number of trusted proxies in front of gunicorn; 0: the address is the connection's own.
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=0)

# --- Logs: no personal data, one line each ----------------------------------------------------------------
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "filters": {"context": {"()": "core.logs.Context"}},
    "formatters": {"line": {"()": "core.logs.Line"}, "json": {"()": "core.logs.JsonLine"}},
    "handlers": {
        "console": {
            "class": "logging.StreamHandler",
            "formatter": env.str("LOG_FORMAT", default="line"),
            "filters": ["context"],
        }
    },
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
    "loggers": {
        "django": {"handlers": [], "level": "INFO"},  # without Django's own, which print requests and mail them
        "django.db.backends": {"level": "WARNING"},  # never SQL: it holds what people are
        "django.server": {"handlers": [], "propagate": False},  # our own line tells of each request
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        # Our own line tells of each task; these would tell what it was given.
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "fontTools": {"level": "WARNING"},
        "weasyprint": {"level": "WARNING"},
        "pikepdf": {"level": "WARNING"},
    },
}

# --- Lists by which the floor learns of the apps above it ---------------------------------------------------
PAPER_KINDS = {
    "roll": "members.papers.MemberRoll",
    "terms": "unions.papers.TermReport",
    "hardship_application": "assistance.papers.Application",
    "hardship_visit": "assistance.papers.VisitForm",
    "hardship_approval": "assistance.papers.Approval",
    "hardship_dossier": "assistance.papers.Dossier",
    "publicity_proof": "assistance.publicity_papers.PublicityProof",
    "payment_roll": "assistance.papers_money.PaymentRoll",
    "fund_ledger": "assistance.papers_money.FundLedger",
    "campaign_result": "assistance.papers_money.CampaignResult",
}
IMPORT_KINDS = {
    "unions": "unions.imports.UnionImport",
    "members": "members.imports.MemberImport",
    "hardship": "assistance.imports.HouseholdImport",
}
EXPORT_KINDS = {
    "members": "members.exports.MemberExport",
    "unions": "unions.exports.UnionExport",
    "findings": "unions.exports.FindingExport",
    "hardship": "assistance.exports.HardshipExport",
}
CHECKUPS = ["unions.checkup.CHECKS", "members.checkup.CHECKS"]
# Modules with `triggers(vendor)` and FUNCTIONS of PostgreSQL.
TRIGGERS = ["core.triggers", "members.paths", "assistance.ledger"]
SEARCHES = ["unions.search.find", "members.search.find"]
# What a duty about such an object leads to: the first step whose permission the user holds at its union.
DUTY_STEPS = {
    "unions.committee": [
        ("unions.elect_union", "union_election", _("Record the election")),
        ("unions.view_union", "union_page", _("Look at the union")),
    ],
    "unions.officer": [
        ("unions.add_officer", "by_election", _("Record the by-election")),
        ("unions.view_union", "union_page", _("Look at the union")),
    ],
    "unions.union": [
        ("unions.change_union", "union_certificate", _("Record the certificate")),
        ("unions.view_union", "union_page", _("Look at the union")),
    ],
    "members.transfer": [
        ("members.answer_transfer", "transfer_page", _("Answer")),
        ("members.view_transfer", "transfer_page", _("Look at the transfer")),
    ],
    "members.erasure": [
        ("members.decide_erasure", "erasure_page", _("Decide the erasure")),
        ("members.ask_erasure", "erasure_page", _("Look at the erasure")),
    ],
    "assistance.hardshipcase": [("assistance.view_hardshipcase", "hardship_page", _("Look at the case"))],
}

# Whom a duty is about, where the titles of one kind read alike: f(keys, user) → {key: name} of those in sight. Shown at
# the desk only; titles, reminders and e-mails name nobody.
DUTY_NAMES = {"assistance.hardshipcase": "assistance.flow.whom", "members.transfer": "members.transfers.whom"}

# What the demo has besides unions and members: f(today), in this order.
DEMOS = ["assistance.demo.plant"]

# Why people's data cannot be erased: f(people) → sentences, of the apps that keep files about them.
ERASURE_BARS = ["assistance.files.bars_to_erasure"]

# What is published (core.publicity) → the module that answers for it: `standing()`, the rows that may be shown now, and
# `objected(objection)`, which hears of an objection.
PUBLICITY_SUBJECTS = {"assistance.hardshipcase": "assistance.publicity"}

# The page of what a hold lies on: the name of its route, which takes the key.
HOLD_PAGES = {"core.importbatch": "import_page", "members.membership": "member_page"}

IMPORT_EXPORT_SKIP_ADMIN_LOG = True  # the trail is AuditEvent
IMPORT_EXPORT_USE_TRANSACTIONS = True
DJANGO_TABLES2_TEMPLATE = "parts/table.html"
SILENCED_SYSTEM_CHECKS = []
