/* What parsers.plain does letter by letter, in C, for installations that can compile it: the same results, sooner.

   Where tags, comments, references and elements without markup begin and end stands here, too, and that a no-break blank
   shows nothing. All else is looked up: what a tag or a reference means, and what the tags between two texts print and
   build, in dictionaries that make what they miss; what may stand in what, in the traits of letters. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

static const char SPACE = 2, NO_BREAK = 9; /* letters of blanks, as in parsers.plain */
static const char COMMENT[] = "!----";     /* the tag that all comments are looked up by */
static const char BREAK[] = "\xe2\x90\xa4"; /* what is printed between lines */

/* Tags met before: those of one dictionary, found without making an object of each. A tag may stand in a few slots; where
   all are taken, it takes one over. */
enum { SLOTS = 1024, TRIED = 8, LONGEST = 500 };

typedef struct {
    PyObject *tag;     /* bytes without their angles; NULL in an empty slot */
    PyObject *meaning; /* tuple: letter, a link's target or None, the name of what holds no markup */
    unsigned long long hash;
} Known;

typedef struct {
    PyObject *tags; /* the dictionary */
    Known known[SLOTS];
} State;

typedef struct {
    char *start;
    Py_ssize_t length, room;
} Buffer;

typedef struct {
    PyObject *tags, *references, *runs, *inline_letters; /* borrowed */
    PyObject *structures, *links;                        /* lists */
    Buffer run;                                          /* the letters since the last text */
    Buffer woven;
    const char *text, *text_end; /* the last text; NULL before the first */
} Page;

static int reserve(Buffer *buffer, Py_ssize_t more) {
    if (buffer->room - buffer->length >= more) return 0;
    Py_ssize_t room = buffer->room + buffer->room / 2 + more + 1024;
    char *start = PyMem_Realloc(buffer->start, room);
    if (start == NULL) {
        PyErr_NoMemory();
        return -1;
    }
    buffer->start = start;
    buffer->room = room;
    return 0;
}

static int append(Buffer *buffer, const char *from, Py_ssize_t length) {
    if (length == 0) return 0;
    if (reserve(buffer, length)) return -1;
    memcpy(buffer->start + buffer->length, from, length);
    buffer->length += length;
    return 0;
}

static int ends_in_blank(const Buffer *buffer) {
    return buffer->length > 0 && buffer->start[buffer->length - 1] == ' ';
}

/* Print one blank, unless there is one already. */
static int add_blank(Buffer *buffer) { return ends_in_blank(buffer) ? 0 : append(buffer, " ", 1); }

static const char *find(const char *from, const char *end, char wanted) {
    const char *found = memchr(from, wanted, end - from);
    return found == NULL ? end : found;
}

static const char *find_two_blanks(const char *from, const char *end) {
    while ((from = find(from, end, ' ')) < end && !(from + 1 < end && from[1] == ' ')) from++;
    return from;
}

static int is_space(char one) { return one == ' ' || (one >= '\t' && one <= '\r'); }

/* Whether two stretches have the same letters, capital or small. */
static int is_same_name(const char *one, const char *other, Py_ssize_t length) {
    for (Py_ssize_t place = 0; place < length; place++)
        if (Py_TOLOWER(one[place]) != Py_TOLOWER(other[place])) return 0;
    return 1;
}

static int is_blank(const char *from, const char *end) {
    while (from < end && is_space(*from)) from++;
    return from == end;
}

/* Whether there are only blanks, some of which may be no-break blanks. */
static int is_no_break(const char *from, const char *end) {
    while (from < end) {
        if (is_space(*from))
            from++;
        else if (end - from >= 6 && memcmp(from, "&nbsp;", 6) == 0)
            from += 6;
        else if (end - from >= 2 && memcmp(from, "\xc2\xa0", 2) == 0)
            from += 2;
        else
            return 0;
    }
    return 1;
}

static int is_of_reference(char one) {
    return one == '#' || (one >= '0' && one <= '9') || (one >= 'a' && one <= 'z') || (one >= 'A' && one <= 'Z');
}

/* Whether two texts are halves of a letter in UTF-8, or the first ends in an open reference such as `&amp`. */
static int are_halves(const char *text, const char *text_end, const char *following) {
    if (((unsigned char)*following & 0xc0) == 0x80) return 1;
    while (text_end > text && is_of_reference(text_end[-1])) text_end--;
    return text_end > text && text_end[-1] == '&';
}

/* Whether something is a tuple of so many items, of which those at two places are bytes. */
static int is_tuple_of_bytes(PyObject *object, Py_ssize_t size, Py_ssize_t first, Py_ssize_t second) {
    return PyTuple_Check(object) && PyTuple_GET_SIZE(object) == size && PyBytes_Check(PyTuple_GET_ITEM(object, first)) &&
           PyBytes_Check(PyTuple_GET_ITEM(object, second));
}

/* End the run of letters: print what it prints, and keep its structure. Returns how many bytes it prints, or -1. */
static Py_ssize_t end_run(Page *page) {
    PyObject *run = PyBytes_FromStringAndSize(page->run.start, page->run.length);
    if (run == NULL) return -1;
    page->run.length = 0;
    PyObject *known = PyObject_GetItem(page->runs, run); /* what it prints, its structure */
    Py_DECREF(run);
    if (known == NULL) return -1;
    Py_ssize_t length = -1;
    if (!is_tuple_of_bytes(known, 2, 0, 1)) {
        PyErr_SetString(PyExc_TypeError, "a run must be what it prints and its structure");
    } else if (PyList_Append(page->structures, PyTuple_GET_ITEM(known, 1)) == 0) {
        PyObject *printed = PyTuple_GET_ITEM(known, 0);
        length = PyBytes_GET_SIZE(printed);
        int is_blank_alone = length == 1 && PyBytes_AS_STRING(printed)[0] == ' ';
        if (is_blank_alone ? add_blank(&page->woven) : append(&page->woven, PyBytes_AS_STRING(printed), length)) length = -1;
    }
    Py_DECREF(known);
    return length;
}

/* Print what a reference such as `&amp;` stands for. Returns its end, or NULL. */
static const char *add_reference(Page *page, const char *from, const char *end) {
    const char *reference_end = from + 1;
    while (reference_end < end && is_of_reference(*reference_end)) reference_end++;
    if (reference_end < end && *reference_end == ';') reference_end++;
    PyObject *reference = PyBytes_FromStringAndSize(from, reference_end - from);
    if (reference == NULL) return NULL;
    PyObject *printed = PyObject_GetItem(page->references, reference);
    Py_DECREF(reference);
    if (printed != NULL && !PyBytes_Check(printed))
        PyErr_SetString(PyExc_TypeError, "what a reference stands for must be bytes");
    else if (printed != NULL && append(&page->woven, PyBytes_AS_STRING(printed), PyBytes_GET_SIZE(printed)) == 0)
        from = reference_end;
    Py_XDECREF(printed);
    return PyErr_Occurred() ? NULL : from;
}

static int has_break(const char *from, const char *end) {
    for (from = find(from, end, BREAK[0]); end - from >= 3; from = find(from + 1, end, BREAK[0]))
        if (memcmp(from, BREAK, 3) == 0) return 1;
    return 0;
}

/* Print a text; what it has of blanks in a row, and of line breaks with the blanks around them, as one blank. Returns 1; 0
   where it is not plain; -1. */
static int add_text(Page *page, const char *from, const char *end) {
    Py_ssize_t between = end_run(page);
    if (between < 0) return -1;
    if (between == 0 && page->text != NULL && are_halves(page->text, page->text_end, from)) return 0;
    if (has_break(from, end)) return 0;
    page->text = from;
    page->text_end = end;
    if (is_space(*from)) {
        if (add_blank(&page->woven)) return -1;
        while (is_space(*from)) from++; /* a text is not all blank */
    }
    const char *last = end;
    while (is_space(last[-1])) last--;
    const char *wrap = find(from, last, '\n'), *blanks = find_two_blanks(from, last), *reference = find(from, last, '&');
    while (from < last) {
        const char *special = wrap < blanks ? wrap : blanks;
        if (reference < special) special = reference;
        const char *before = special;
        if (special == wrap)
            while (before > from && is_space(before[-1])) before--;
        if (append(&page->woven, from, before - from)) return -1;
        from = special;
        if (from == last) break;
        if (from == reference) {
            from = add_reference(page, from, last);
            if (from == NULL) return -1;
            reference = find(from, last, '&');
            continue;
        }
        if (add_blank(&page->woven)) return -1;
        while (is_space(*from)) from++;
        if (wrap < from) wrap = find(from, last, '\n');
        if (blanks < from) blanks = find_two_blanks(from, last);
    }
    return last < end && add_blank(&page->woven) ? -1 : 1;
}

/* Where the text behind `</name>` begins, the end of what holds no markup; NULL where that is not plain to see. */
static const char *behind_raw(const char *from, const char *end, PyObject *name) {
    Py_ssize_t length = PyBytes_GET_SIZE(name);
    int has_comment = 0;
    for (from = find(from, end, '<'); from < end; from = find(from + 1, end, '<')) {
        if (end - from >= length + 2 && from[1] == '/' && is_same_name(from + 2, PyBytes_AS_STRING(name), length))
            return end - from > length + 2 && from[2 + length] == '>' ? from + length + 3 : NULL;
        if (has_comment && end - from >= 7 && is_same_name(from + 1, "script", 6))
            return NULL; /* a script in a comment in a script hides its end */
        has_comment = has_comment || (end - from >= 4 && memcmp(from, "<!--", 4) == 0);
    }
    return NULL;
}

/* The last letter of a comment, given where `--` of its beginning ends; NULL where that is not plain to see. */
static const char *end_of_comment(const char *from, const char *end) {
    if (end - from >= 1 && (*from == '>' || (end - from >= 2 && from[0] == '-' && from[1] == '>'))) return NULL;
    for (const char *close = find(from, end, '>'); close < end; close = find(close + 1, end, '>')) {
        if (close - from >= 3 && memcmp(close - 3, "--!", 3) == 0) return NULL;
        if (close - from >= 2 && memcmp(close - 2, "--", 2) == 0) return close;
    }
    return NULL;
}

static unsigned long long hash_of(const char *from, Py_ssize_t length) {
    unsigned long long word, hash = 14695981039346656037ULL ^ (unsigned long long)length;
    for (; length >= 8; from += 8, length -= 8) {
        memcpy(&word, from, 8);
        hash = (hash ^ word) * 1099511628211ULL;
        hash ^= hash >> 29;
    }
    for (; length > 0; from++, length--) hash = (hash ^ (unsigned char)*from) * 1099511628211ULL;
    return hash ^ (hash >> 32);
}

static void forget(State *state) {
    Py_CLEAR(state->tags);
    for (int slot = 0; slot < SLOTS; slot++) {
        Py_CLEAR(state->known[slot].tag);
        Py_CLEAR(state->known[slot].meaning);
    }
}

/* What a tag means, as a new reference; NULL with an exception set. */
static PyObject *meaning_of(State *state, PyObject *tags, const char *tag, Py_ssize_t length) {
    unsigned long long hash = hash_of(tag, length);
    unsigned long long step = hash >> 40 | 1;
    Known *known = NULL;
    for (int tried = 0; tried < TRIED; tried++) {
        known = &state->known[(hash + tried * step) % SLOTS];
        if (known->tag == NULL) break;
        if (known->hash == hash && PyBytes_GET_SIZE(known->tag) == length &&
            memcmp(PyBytes_AS_STRING(known->tag), tag, length) == 0)
            return Py_NewRef(known->meaning);
    }
    PyObject *bytes = PyBytes_FromStringAndSize(tag, length);
    if (bytes == NULL) return NULL;
    PyObject *meaning = PyObject_GetItem(tags, bytes);
    if (meaning != NULL &&
        !(is_tuple_of_bytes(meaning, 3, 0, 2) && PyBytes_GET_SIZE(PyTuple_GET_ITEM(meaning, 0)) == 1)) {
        PyErr_SetString(PyExc_TypeError, "a tag's meaning must be its letter, a target and a name");
        Py_CLEAR(meaning);
    }
    if (meaning != NULL && length <= LONGEST && state->tags == tags) {
        Py_XSETREF(known->tag, Py_NewRef(bytes));
        Py_XSETREF(known->meaning, Py_NewRef(meaning));
        known->hash = hash;
    }
    Py_DECREF(bytes);
    return meaning;
}

/* Weave one page. Returns 1; 0 where it is not plain; -1 with an exception set. */
static int weave_page(Page *page, State *state, const char *place, const char *end) {
    const char *next = find(place, end, '<');
    if (!is_blank(place, next)) {
        int added = add_text(page, place, next);
        if (added != 1) return added;
    }
    while (next < end) {
        const char *tag = next + 1, *tag_end;
        int is_comment = end - tag >= 3 && memcmp(tag, "!--", 3) == 0;
        if (is_comment) {
            tag_end = end_of_comment(tag + 3, end);
            if (tag_end == NULL) return 0;
        } else {
            tag_end = find(tag, end, '>');
            if (tag_end == end || find(tag, tag_end, '<') < tag_end) return 0;
        }
        PyObject *meaning = is_comment ? meaning_of(state, page->tags, COMMENT, sizeof COMMENT - 1)
                                       : meaning_of(state, page->tags, tag, tag_end - tag);
        if (meaning == NULL) return -1;
        char letter = PyBytes_AS_STRING(PyTuple_GET_ITEM(meaning, 0))[0];
        PyObject *target = PyTuple_GET_ITEM(meaning, 1), *raw = PyTuple_GET_ITEM(meaning, 2);
        const char *text = tag_end + 1;
        int failed = target != Py_None && PyList_Append(page->links, target);
        if (PyBytes_GET_SIZE(raw)) text = behind_raw(text, end, raw);
        Py_DECREF(meaning);
        if (failed || append(&page->run, &letter, 1)) return -1;
        if (text == NULL) return 0;
        next = find(text, end, '<');
        if (text == next) continue;
        if (!is_no_break(text, next)) {
            int added = add_text(page, text, next);
            if (added != 1) return added;
        } else if (!is_blank(text, next)) {
            if (append(&page->run, &NO_BREAK, 1)) return -1;
        } else if (memchr(PyBytes_AS_STRING(page->inline_letters), letter, PyBytes_GET_SIZE(page->inline_letters))) {
            if (append(&page->run, &SPACE, 1)) return -1;
        }
    }
    return end_run(page) < 0 ? -1 : 1;
}

PyDoc_STRVAR(weave_doc,
             "weave(source, tags, references, runs, inline_letters, /)\n--\n\n"
             "See parsers.plain: the woven texts, the structures and the links of a page; None where it is not plain.");

static PyObject *weave(PyObject *module, PyObject *arguments) {
    PyObject *source;
    Page page = {0};
    if (!PyArg_ParseTuple(arguments, "SOOOS", &source, &page.tags, &page.references, &page.runs, &page.inline_letters))
        return NULL;
    PyObject *result = NULL;
    State *state = PyModule_GetState(module);
    if (state->tags != page.tags) {
        forget(state);
        state->tags = Py_NewRef(page.tags);
    }
    page.structures = PyList_New(0);
    page.links = PyList_New(0);
    if (page.structures != NULL && page.links != NULL) {
        const char *start = PyBytes_AS_STRING(source);
        int woven = weave_page(&page, state, start, start + PyBytes_GET_SIZE(source));
        if (woven == 1)
            result = Py_BuildValue("y#OO", page.woven.start == NULL ? "" : page.woven.start, page.woven.length,
                                   page.structures, page.links);
        else if (woven == 0)
            result = Py_NewRef(Py_None);
    }
    Py_XDECREF(page.structures);
    Py_XDECREF(page.links);
    PyMem_Free(page.run.start);
    PyMem_Free(page.woven.start);
    return result;
}

enum { PHRASE = 1, HOLDS_PHRASES = 2, NOT_IN_ITSELF = 4, ALONE = 8 }; /* traits, as in parsers.plain */

static int is_nested(const unsigned char *letters, Py_ssize_t length, const unsigned char *traits, unsigned char *waiting) {
    Py_ssize_t depth = 0, holding_phrases = 0, opened[256] = {0};
    for (Py_ssize_t place = 0; place < length; place++) {
        unsigned char letter = letters[place], trait = traits[letter];
        if (holding_phrases && !(trait & PHRASE || letter & 1)) return 0;
        if (trait & ALONE) {
            if (holding_phrases) return 0;
        } else if (letter & 1) {
            if (depth == 0 || waiting[--depth] != letter - 1) return 0;
            opened[letter - 1]--;
            holding_phrases -= (traits[letter - 1] & HOLDS_PHRASES) != 0;
        } else {
            if (trait & NOT_IN_ITSELF && opened[letter]) return 0;
            waiting[depth++] = letter;
            opened[letter]++;
            holding_phrases += (trait & HOLDS_PHRASES) != 0;
        }
    }
    return depth == 0;
}

PyDoc_STRVAR(nests_doc, "nests(letters, traits, /)\n--\n\n"
                        "See parsers.plain: whether each element ends, after all that stands in it, and holds what it may.");

static PyObject *nests(PyObject *Py_UNUSED(module), PyObject *arguments) {
    const char *letters, *traits;
    Py_ssize_t length, traits_length;
    if (!PyArg_ParseTuple(arguments, "y#y#", &letters, &length, &traits, &traits_length)) return NULL;
    if (traits_length != 256) return PyErr_Format(PyExc_ValueError, "each of 256 letters must have its traits");
    unsigned char *waiting = PyMem_Malloc(length + 1);
    if (waiting == NULL) return PyErr_NoMemory();
    int nested = is_nested((const unsigned char *)letters, length, (const unsigned char *)traits, waiting);
    PyMem_Free(waiting);
    return PyBool_FromLong(nested);
}

static int clear(PyObject *module) {
    forget(PyModule_GetState(module));
    return 0;
}

static int traverse(PyObject *module, visitproc visit, void *arg) {
    State *state = PyModule_GetState(module);
    Py_VISIT(state->tags);
    for (int slot = 0; slot < SLOTS; slot++) {
        Py_VISIT(state->known[slot].tag);
        Py_VISIT(state->known[slot].meaning);
    }
    return 0;
}

static void free_module(void *module) { clear(module); }

static PyMethodDef methods[] = {{"weave", weave, METH_VARARGS, weave_doc},
                                {"nests", nests, METH_VARARGS, nests_doc},
                                {NULL, NULL, 0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "parsers._speedups", NULL, sizeof(State), methods, NULL, traverse, clear, free_module};

PyMODINIT_FUNC PyInit__speedups(void) { return PyModule_Create(&definition); }
