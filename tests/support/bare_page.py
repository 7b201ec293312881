"""A bare Streamlit page: a title, and a chart for each number of points in its address
(`?points=600&points=20`; 0 is none), by default six of 600."""

import numpy as np
import plotly.graph_objects as go
import streamlit as st

st.title("Bare")
asked = st.query_params.get_all("points") or ["600"] * 6
for place, many in enumerate(filter(None, map(int, asked))):
    x = np.arange(many)
    st.plotly_chart(go.Figure(go.Scatter(x=x, y=np.sin(x), mode="markers")), key=f"chart-{place}")
