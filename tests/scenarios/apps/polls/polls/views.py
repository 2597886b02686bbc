from django.http import HttpResponse

from polls.models import Question
from polls.titles import title


def questions(request):
    return HttpResponse(f"{title(Question.objects.count())}\n", content_type="text/plain")
