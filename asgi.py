"""The lab as an ASGI application: Streamlit's, and around it what tells browsers apart and what an
open server refuses.

`python -m pages.common.serve` starts it.
"""

from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from streamlit import App

from engine.settings import read_settings
from pages.common.lab import first_visit, gate
from pages.common.lab.browsers import Browsers
from pages.common.lab.opening import Opening

settings = read_settings()
limits = gate.ServerLimits(settings.sessions, settings.session_idle_minutes * 60)

app = App(
    "app.py",
    lifespan=first_visit.before_others(settings.open_first),
    middleware=[
        Middleware(TrustedHostMiddleware, allowed_hosts=gate.hosts(), www_redirect=False),
        Middleware(gate.Gate, limits=limits),
        Middleware(Browsers),
        Middleware(Opening),
    ],
)
