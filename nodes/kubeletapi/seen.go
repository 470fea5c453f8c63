package kubeletapi

import (
	"errors"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"tripod/nodes/podcmd"
)

// seen is what commands of containers have read of files, as far as logs have told it. What a log has said stays as it is,
// whatever the files are now; a command that reads a file in a loop sees what becomes of it. Nothing is read until
// somebody asks for a log: what comes then counts from the command's start on.
type seen struct {
	mu   sync.Mutex
	pods map[types.UID]map[sight]*versions
}

// sight is a file as one run of a container sees it.
type sight struct {
	container string
	run       int32
	file      string
}

// versions of a file, in order of time.
type versions struct {
	list  []version
	until time.Time // before which they are known
}

type version struct {
	from  time.Time
	file  podcmd.File
	there bool
}

// What is kept of a pod: a file that is one too many is read at each look, and the oldest version goes first.
const mostSights, mostVersions = 100, 20

func newSeen() *seen { return &seen{pods: map[types.UID]map[sight]*versions{}} }

// by is how a run of the view's container sees files.
func (s *seen) by(v *view, run int32, now func() time.Time) func(name string, at time.Time) (podcmd.File, bool) {
	return func(name string, at time.Time) (podcmd.File, bool) {
		of := sight{v.container.Name, run, name}
		if known, ok := s.known(v.pod.UID, of, at); ok {
			return known.file, known.there
		}
		file, err := v.read(name)
		found := version{file: file, there: err == nil}
		if err != nil && !errors.Is(err, errNoFile) { // nobody can tell: a kubelet leaves what it has made before
			last, ok := s.known(v.pod.UID, of, time.Time{})
			if !ok {
				return podcmd.File{}, false
			}
			found = last
		}
		s.add(v.pod.UID, of, found, maxTime(at, now()))
		return found.file, found.there
	}
}

// known is the version of a time; the zero time's is the last one. ok is false where it has to be read.
func (s *seen) known(pod types.UID, of sight, at time.Time) (found version, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.pods[pod][of]
	if v == nil || !at.Before(v.until) {
		return version{}, false
	}
	found = v.list[len(v.list)-1]
	for i := len(v.list) - 1; i > 0 && !at.IsZero() && at.Before(v.list[i].from); i-- {
		found = v.list[i-1]
	}
	return found, true
}

// add notes how a file is at a time: since the look before, if it has changed.
func (s *seen) add(pod types.UID, of sight, now version, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	files := s.pods[pod]
	if files == nil {
		files = map[sight]*versions{}
		s.pods[pod] = files
	}
	v := files[of]
	switch {
	case v == nil && len(files) >= mostSights:
		return
	case v == nil:
		files[of] = &versions{list: []version{now}, until: at}
		return
	case at.Before(v.until):
		return // another look was sooner
	}
	if last := v.list[len(v.list)-1]; last.file != now.file || last.there != now.there {
		now.from = v.until
		if v.list = append(v.list, now); len(v.list) > mostVersions {
			v.list = slices.Delete(v.list, 0, 1)
		}
	}
	v.until = at
}

// forget drops what is kept of a pod that has gone.
func (s *seen) forget(pod types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.pods, pod)
}
