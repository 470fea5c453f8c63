// Package podfiles knows the files of images that serve web pages, and which of them commands of clients have moved since
// a container runs: `kubectl exec web -- mv /usr/share/nginx/html/index.html /tmp/` takes a page away.
package podfiles

import (
	"errors"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/podcmd"
	"tripod/nodes/podset"
)

// site is a web server's image: where its pages are, and which, with their contents where they are known.
type site struct {
	root  string
	pages map[string]string
}

// sites by image. Those of Kubernetes' own tests serve what is at the container's root (k8s.io/kubernetes/test/images).
var sites = map[string]site{
	"nginx":   {"/usr/share/nginx/html", map[string]string{"index.html": "", "50x.html": ""}},
	"httpd":   {"/usr/local/apache2/htdocs", map[string]string{"index.html": ""}},
	"agnhost": {"/", map[string]string{"localhost.crt": "", "localhost.key": ""}},
	"nautilus": {"/", map[string]string{"localhost.crt": "", "localhost.key": "", "nautilus.jpg": "",
		"data.json": "{\n  \"image\": \"nautilus.jpg\"\n}\n"}},
	"kitten": {"/", map[string]string{"localhost.crt": "", "localhost.key": "", "kitten.jpg": "",
		"data.json": "{\n  \"image\": \"kitten.jpg\"\n}\n"}},
}

// siteOf is what a container serves; false: it is not known, or it serves no files.
func siteOf(c *corev1.Container) (site, bool) {
	if c == nil {
		return site{}, false
	}
	s, known := sites[podcmd.ImageName(c.Image)]
	if known && s.root == "/" && !slices.Contains(podcmd.Argv(c.Image, c.Command, c.Args), "test-webserver") {
		return site{}, false
	}
	return s, known
}

// Page is the content of the page of a container at the path of a request; false: it has none that is known.
func Page(c *corev1.Container, request string) (content string, known bool) {
	s, known := siteOf(c)
	content = s.pages[strings.TrimPrefix(path.Clean("/"+request), "/")]
	return content, known && content != ""
}

// Moves are what commands have moved. Its zero value is ready for use; of a nil one nothing has been moved.
type Moves struct {
	// Changed is called when something has been moved in a pod; nil: nobody is told.
	Changed func(*corev1.Pod)

	mu   sync.Mutex
	runs map[types.UID]map[run]files
}

// run is one of a container's: its next one has the image's files again.
type run struct {
	container string
	number    int32
}

// files that have been moved: from where each comes that is at a new path, and which paths have lost theirs.
type files struct {
	from map[string]string
	gone map[string]bool
}

// ErrNone is of a file that is not there.
var ErrNone = errors.New("there is no such file")

// mostMoved is how many files are remembered of a run of a container.
const mostMoved = 100

// Move moves a file of a container that runs. It answers where the file is then.
func (m *Moves) Move(pod *corev1.Pod, container, from, to string) (string, error) {
	c := podset.Container(pod, container)
	s, known := siteOf(c)
	dir := strings.HasSuffix(to, "/") || to == "/tmp" || path.Clean(to) == s.root
	if from, to = path.Clean("/"+from), path.Clean("/"+to); dir {
		to = path.Join(to, path.Base(from))
	}
	m.mu.Lock()
	f := m.of(pod, container, true)
	_, origin := f.from[from]
	page, below := strings.CutPrefix(from, strings.TrimSuffix(s.root, "/")+"/")
	_, ofImage := s.pages[page]
	there := (origin || known && below && ofImage && !f.gone[from]) && len(f.gone) < mostMoved
	lost := f.gone[from]
	if there {
		f.from[to], f.gone[from] = from, true
		delete(f.from, from)
		delete(f.gone, to)
	}
	m.mu.Unlock()
	switch {
	case there:
		if m.Changed != nil {
			m.Changed(pod)
		}
		return to, nil
	case lost || known && strings.HasPrefix(from, "/tmp/"):
		return "", ErrNone
	}
	return "", podcmd.ErrUnknownFile
}

// of is what has been moved in a container's present run: m.mu is held.
func (m *Moves) of(pod *corev1.Pod, container string, create bool) files {
	at := run{container: container}
	if s := podset.Status(pod, container); s != nil {
		at.number = s.RestartCount
	}
	f, found := m.runs[pod.UID][at]
	if found || !create {
		return f
	}
	if m.runs == nil {
		m.runs = map[types.UID]map[run]files{}
	}
	runs := m.runs[pod.UID]
	if runs == nil {
		runs = map[run]files{}
		m.runs[pod.UID] = runs
	}
	maps.DeleteFunc(runs, func(r run, _ files) bool { return r.container == container }) // earlier ones' files have gone with them
	runs[at] = files{map[string]string{}, map[string]bool{}}
	return runs[at]
}

// Gone says that the page that a container serves at the path of a request has been moved away.
func (m *Moves) Gone(pod *corev1.Pod, container, request string) bool {
	if m == nil {
		return false
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.runs[pod.UID]) == 0 {
		return false
	}
	s, known := siteOf(podset.Container(pod, container))
	page, _, _ := strings.Cut(request, "?")
	if page = path.Clean("/" + page); page == "/" {
		page = "/index.html"
	}
	return known && m.of(pod, container, false).gone[path.Join(s.root, page)]
}

// Forget drops what is kept of a pod that has gone.
func (m *Moves) Forget(pod types.UID) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.runs, pod)
}
