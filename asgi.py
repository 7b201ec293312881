"""The lab as an ASGI application: Streamlit's, and around it what tells browsers apart.

`python -m pages.common.serve` starts it.
"""

from starlette.middleware import Middleware
from streamlit import App

from pages.common.lab.browsers import Browsers

app = App("app.py", middleware=[Middleware(Browsers)])
