from django.urls import path
from polls.views import questions

urlpatterns = [path("", questions)]
