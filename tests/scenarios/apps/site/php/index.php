<?php
// Takes files from whoever has the key, gives them back, and tells what it is told of its surroundings.
declare(strict_types=1);

const FOLDER = '/var/lib/site';

function answer(int $status, array $body): never
{
    http_response_code($status);
    header('content-type: application/json');
    exit(json_encode($body, JSON_THROW_ON_ERROR));
}

$name = basename((string) parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH));
if ($name === 'about') {
    $noon = new DateTimeImmutable('@1782907200');
    answer(200, [
        'greeting' => getenv('GREETING'),
        'level' => getenv('LEVEL'),
        'noon' => $noon->setTimezone(new DateTimeZone(getenv('TZ')))->format('H:i'),
        'started' => is_file(FOLDER . '/started'),
        'user' => posix_getpwuid(posix_geteuid())['name'],
    ]);
}
$file = FOLDER . '/' . hash('sha256', $name);
if ($_SERVER['REQUEST_METHOD'] === 'PUT') {
    $key = trim(file_get_contents('/run/secrets/upload_key'));
    if (!hash_equals($key, $_SERVER['HTTP_X_KEY'] ?? '')) {
        answer(403, []);
    }
    file_put_contents($file, file_get_contents('php://input'));
    answer(201, ['name' => $name]);
}
is_file($file) || answer(404, []);
header('content-type: application/octet-stream');
readfile($file);
