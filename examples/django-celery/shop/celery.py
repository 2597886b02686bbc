from __future__ import annotations

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
app = Celery("shop", broker=os.environ["CELERY_BROKER_URL"])


@app.task
def add_user(name: str) -> None:
    """Add a user to the database. The worker runs this."""
    from django.contrib.auth.models import User

    User.objects.create_user(name)
