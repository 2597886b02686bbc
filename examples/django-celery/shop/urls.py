from __future__ import annotations

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.urls import path

from shop.celery import add_user


def users(request: HttpRequest) -> HttpResponse:
    """Show how many users there are; a POST lets the worker add one."""
    if request.method == "POST":
        add_user.delay(request.POST["name"])
        return HttpResponse(status=202)
    return HttpResponse(f"users: {User.objects.count()}\n")


urlpatterns = [path("", users)]
