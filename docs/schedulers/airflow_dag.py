"""The rotate runbook every night, by Airflow's papermill provider and this kit's engine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from airflow.providers.papermill.operators.papermill import PapermillOperator
from airflow.sdk import DAG
from papermill.engines import papermill_engines

from ecr_widgets.engine.papermill_engine import EcrWidgetsEngine

# The operator names no engine, and so gets papermill's default one: in the processes that load this file, ours.
papermill_engines.register(None, EcrWidgetsEngine)

with DAG(
    dag_id="rotate",
    schedule="0 3 * * *",
    start_date=datetime(2026, 11, 1, tzinfo=UTC),
    catchup=False,
    # One at a time; the runbook's own locks keep runs from elsewhere away.
    max_active_runs=1,
    default_args={"retries": 2, "retry_delay": timedelta(minutes=5)},
) as dag:
    PapermillOperator(
        task_id="rotate",
        input_nb="/srv/runbooks/rotate.ipynb",
        # A file for each try: what the first one left is evidence, too.
        output_nb="/srv/runs/{{ ts_nodash }}-try{{ ti.try_number }}-rotate.ipynb",
        parameters={"repository": "xfra-wait", "reference": "custom-tag-1"},
    )
