package kubecall

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestRequestsAndAnswersAreJSON(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/gone" {
			w.WriteHeader(http.StatusGone)
			io.WriteString(w, "too old")
			return
		}
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, `{"said":%q}`, r.Method+" "+r.Header.Get("Content-Type")+" "+r.Header.Get("Authorization")+" "+string(body))
	}))
	defer server.Close()
	for _, c := range []struct {
		method, bearer string
		body           any
		want           string
	}{
		{http.MethodGet, "", nil, "GET application/json  "},
		{http.MethodPost, "t", []int{1}, "POST application/json Bearer t [1]"},
		{http.MethodPatch, "t", []int{1}, "PATCH application/merge-patch+json Bearer t [1]"},
	} {
		request, err := NewRequest(t.Context(), c.method, server.URL, c.bearer, c.body)
		if err != nil {
			t.Fatal(err)
		}
		var got struct{ Said string }
		if err := Do(server.Client(), request, &got); err != nil || got.Said != c.want {
			t.Errorf("got %q, %v; want %q", got.Said, err, c.want)
		}
	}
	request, err := NewRequest(t.Context(), http.MethodGet, server.URL+"/gone", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	err = fmt.Errorf("read it: %w", Do(server.Client(), request, nil))
	if !Is(err, http.StatusGone) || Is(err, http.StatusNotFound) || Is(nil, http.StatusGone) || err.Error() != "read it: HTTP 410: too old" {
		t.Errorf("got %v", err)
	}
}
