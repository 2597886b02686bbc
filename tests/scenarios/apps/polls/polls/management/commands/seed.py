from django.core.management.base import BaseCommand

from polls.models import Question


class Command(BaseCommand):
    def handle(self, *args, **options):
        for text in ("What's new?", "What's up?"):
            Question.objects.get_or_create(text=text)
        self.stdout.write(f"{Question.objects.count()} questions")
