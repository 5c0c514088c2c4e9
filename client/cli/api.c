/* Requests by libcurl, answers by jansson, and errors as one line each. */
#include "client/cli/api.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/text.h"

#define ANSWER_MAX (256u << 20)

void api_path_add(struct api_path *path, const char *text)
{
    size_t size = strlen(text);
    if (size >= sizeof path->text - path->used) {
        path->full = true;
        return;
    }
    memcpy(path->text + path->used, text, size + 1);
    path->used += size;
}

void api_path_add_value(struct api_path *path, const char *value)
{
    for (; *value; value++) {
        char escaped[4] = {*value, '\0'};
        if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~*", *value))
            snprintf(escaped, sizeof escaped, "%%%02X", (unsigned char)*value);
        api_path_add(path, escaped);
    }
}

void api_path_add_query(struct api_path *path, const char *name, const char *value)
{
    if (!value)
        return;
    api_path_add(path, strchr(path->text, '?') ? "&" : "?");
    api_path_add(path, name);
    api_path_add(path, "=");
    api_path_add_value(path, value);
}

static size_t append_received(char *data, size_t unit, size_t count, void *ctx)
{
    struct api_answer *answer = ctx;
    size_t size = unit * count;
    char *grown =
        answer->size + size < ANSWER_MAX ? realloc(answer->body, answer->size + size + 1) : NULL;
    if (!grown)
        return 0;
    memcpy(grown + answer->size, data, size);
    answer->body = grown;
    answer->size += size;
    answer->body[answer->size] = '\0';
    return size;
}

/* What is asked: a GET, or a change with a body. */
struct question {
    const char *method, *body; /* body NULL: a GET */
};

/* NULL: none are needed, or memory is short. */
static struct curl_slist *request_headers(const char *token, const struct question *question)
{
    struct curl_slist *headers = NULL;
    char *bearer;
    if (token && asprintf(&bearer, "Authorization: Bearer %s", token) >= 0) {
        headers = curl_slist_append(NULL, bearer);
        free(bearer);
    }
    return question->body ? curl_slist_append(headers, "Content-Type: application/json") : headers;
}

static int complain_of_curl(const struct cli *cli, CURLcode code, const char *why)
{
    const char *text = why[0] ? why : curl_easy_strerror(code);
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST ||
        code == CURLE_OPERATION_TIMEDOUT)
        text_complain(
            "no answer from %s: %s. Is foreshockd running? Its first lines tell the address; "
            "set it with --url or FORESHOCK_URL",
            cli->url, text);
    else if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL)
        text_complain("--url: got \"%s\", expected an address such as " CLI_URL, cli->url);
    else
        text_complain("%s: %s", cli->url, text);
    return CLI_FAILED;
}

static void set_request_options(
    CURL *curl, const struct question *question, struct api_answer *answer, char *why)
{
    if (question->body) {
        curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, question->method);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, question->body);
    }
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    /* The daemon is near: a proxy that is set for the web does not lead to it. */
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
    curl_easy_setopt(curl, CURLOPT_ACCEPT_ENCODING, "");
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "foreshock/" FORESHOCK_VERSION);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append_received);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
}

static int perform(const struct cli *cli, const struct question *question,
    const struct api_path *path, struct api_answer *answer)
{
    const char *token = question->body ? cli->admin_token : cli->token;
    char *url = NULL, why[CURL_ERROR_SIZE] = "";
    CURL *curl = curl_easy_init();
    struct curl_slist *headers = request_headers(token, question);
    size_t base = strlen(cli->url);
    int rc = CLI_FAILED;
    *answer = (struct api_answer){0};
    while (base > 0 && cli->url[base - 1] == '/')
        base--;
    answer->body = strdup("");
    if (!curl || !answer->body || ((token || question->body) && !headers) ||
        asprintf(&url, "%.*s%s", (int)base, cli->url, path->text) < 0) {
        text_complain("out of memory");
        goto out;
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    set_request_options(curl, question, answer, why);
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &answer->status);
    rc = code == CURLE_OK ? CLI_OK : complain_of_curl(cli, code, why);
out:
    curl_easy_cleanup(curl);
    curl_slist_free_all(headers);
    free(url);
    if (rc)
        api_free(answer);
    return rc;
}

/* A problem document says it best; an answer from something else than foreshockd is named as such. */
static void complain_of_status(const struct cli *cli, const struct api_answer *answer)
{
    const char *detail = api_text(answer->json, "detail"), *title = api_text(answer->json, "title");
    if (answer->status == 401 && cli->token)
        text_complain("%s: this token was refused; it comes from --token-file FILE, else from "
                      "FORESHOCK_TOKEN",
            cli->url);
    else if (answer->status == 401)
        text_complain("%s wants a token: set FORESHOCK_TOKEN, or --token-file FILE", cli->url);
    else if (detail[0] || title[0])
        text_complain("%s (HTTP %ld)", detail[0] ? detail : title, answer->status);
    else
        text_complain(
            "%s answered HTTP %ld, without a reason; is it foreshockd?", cli->url, answer->status);
}

static int perform_request(const struct cli *cli, const struct question *question,
    const struct api_path *path, struct api_answer *answer)
{
    json_error_t error;
    if (path->full) {
        text_complain("the names and patterns given are too long for one request");
        return CLI_FAILED;
    }
    if (perform(cli, question, path, answer))
        return CLI_FAILED;
    answer->json = json_loadb(answer->body, answer->size, 0, &error);
    if (answer->status / 100 == 2 && json_is_object(answer->json))
        return CLI_OK;
    if (answer->status / 100 == 2)
        text_complain(
            "%s answered with something that is no JSON object; is it foreshockd?", cli->url);
    else if (answer->status == 401 && question->body)
        text_complain(
            "%s: the admin token was refused; it comes from --admin-token-file FILE, else "
            "from FORESHOCK_ADMIN_TOKEN",
            cli->url);
    else
        complain_of_status(cli, answer);
    api_free(answer);
    return CLI_FAILED;
}

int api_get(const struct cli *cli, const struct api_path *path, struct api_answer *answer)
{
    return perform_request(cli, &(struct question){.method = "GET"}, path, answer);
}

int api_change(const struct cli *cli, const char *method, const struct api_path *path, json_t *body,
    struct api_answer *answer)
{
    char *text = body ? json_dumps(body, JSON_COMPACT) : NULL;
    int rc = CLI_FAILED;
    json_decref(body);
    if (!cli->admin_token)
        text_complain("a change wants the admin token: set FORESHOCK_ADMIN_TOKEN, or "
                      "--admin-token-file FILE (the file admin.token of the state directory)");
    else if (!text)
        text_complain("out of memory, or a text that is no UTF-8");
    else
        rc = perform_request(cli, &(struct question){method, text}, path, answer);
    free(text);
    return rc;
}

int api_ready(const struct cli *cli)
{
    struct api_path path = {0};
    struct api_answer answer;
    api_path_add(&path, "/readyz");
    if (perform(cli, &(struct question){.method = "GET"}, &path, &answer))
        return -1;
    int ready = answer.status == 200 ? 1 : answer.status == 503 ? 0 : -1;
    if (ready < 0)
        complain_of_status(cli, &answer);
    api_free(&answer);
    return ready;
}

void api_free(struct api_answer *answer)
{
    json_decref(answer->json);
    free(answer->body);
    *answer = (struct api_answer){0};
}

void api_print(const struct api_answer *answer)
{
    fwrite(answer->body, 1, answer->size, stdout);
    if (answer->size > 0 && answer->body[answer->size - 1] != '\n')
        putchar('\n');
}

const char *api_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

long long api_int(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_integer(value) ? json_integer_value(value) : -1;
}

double api_real(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}
