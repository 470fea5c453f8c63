package node

import (
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"slices"
	"strings"
)

// ofOneHop are the headers that are between two who speak to each other directly, as httputil.ReverseProxy has them.
var ofOneHop = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade"}

// dropHop takes them away, with those that Connection names.
func dropHop(h http.Header) {
	for _, named := range h["Connection"] {
		for name := range strings.SplitSeq(named, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range ofOneHop {
		delete(h, name)
	}
}

// carryPlain has a target answer a plain request (see kept.go). It does what httputil.ReverseProxy does, without the contexts,
// traces and timers which that makes for requests of all kinds.
func (x *exchange) carryPlain(w http.ResponseWriter, r *http.Request) {
	out, url := *r, *r.URL
	out.URL, out.Header, out.Body, out.Close = &url, r.Header.Clone(), nil, false
	dropHop(out.Header)
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		delete(out.Header, name)
	}
	x.rewrite(&httputil.ProxyRequest{In: r, Out: &out})
	response, err := x.send(&out)
	if err != nil {
		x.failed(w, r, err)
		return
	}
	defer response.Body.Close()
	dropHop(response.Header)
	x.stick(response)
	header := w.Header()
	maps.Copy(header, response.Header)
	announced := len(response.Trailer)
	if announced > 0 {
		header["Trailer"] = []string{strings.Join(slices.Sorted(maps.Keys(response.Trailer)), ", ")}
	}
	w.WriteHeader(response.StatusCode)
	if err := copyBody(w, response); err != nil {
		panic(http.ErrAbortHandler) // the client must not take a part for the whole
	}
	for name, values := range response.Trailer {
		if len(response.Trailer) != announced { // they were not all announced
			name = http.TrailerPrefix + name
		}
		header[name] = append(header[name], values...)
	}
}

// copyBody copies an answer's body. What is not its end leaves at once: the next part may take a while.
func copyBody(w http.ResponseWriter, response *http.Response) error {
	if response.Body == http.NoBody {
		return nil
	}
	buffer := buffers.Get()
	defer buffers.Put(buffer)
	for left := response.ContentLength; ; {
		n, err := response.Body.Read(buffer)
		if n > 0 {
			if _, err := w.Write(buffer[:n]); err != nil {
				return err
			}
		}
		switch left -= int64(n); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		case left != 0:
			if err := http.NewResponseController(w).Flush(); err != nil {
				return err
			}
		}
	}
}
