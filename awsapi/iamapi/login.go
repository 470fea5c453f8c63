package iamapi

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
	"time"
	"unicode"

	"tripod/awsapi/operation"
	"tripod/region"
	"tripod/state"
)

// login is a user's password for the console, which Tripod does not have: it is kept so that it can be shown, changed
// and deleted. The password itself is not kept, nor can anybody find it out again.
type login struct {
	UserID    string    `json:"userId"`
	Salt      []byte    `json:"salt"`
	Hash      []byte    `json:"hash"`
	Reset     bool      `json:"reset,omitempty"` // the user must set a new one when signing in
	CreatedAt time.Time `json:"createdAt"`
}

var logins = state.NewTable[login]("login-profile") // by UserID

// rounds make a guess of a password dear.
const rounds = 100_000

// set gives the login a password, which must be as AWS's default password policy asks: 8 characters of three of four
// kinds.
func (l *login) set(password string) error {
	kinds := map[string]bool{}
	for _, r := range password {
		switch {
		case unicode.IsUpper(r):
			kinds["upper"] = true
		case unicode.IsLower(r):
			kinds["lower"] = true
		case unicode.IsDigit(r):
			kinds["digit"] = true
		case strings.ContainsRune("!@#$%^&*()_+-=[]{}|'", r):
			kinds["other"] = true
		}
	}
	if len(password) < 8 || len(kinds) < 3 {
		return refuse("PasswordPolicyViolation", http.StatusBadRequest,
			"Password does not conform to the account password policy.")
	}
	l.Salt = make([]byte, 16)
	rand.Read(l.Salt) // never fails
	hash, err := l.hash(password)
	l.Hash = hash
	return err
}

func (l login) hash(password string) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, l.Salt, rounds, sha256.Size)
}

func (l login) is(password string) bool {
	hash, err := l.hash(password)
	return err == nil && subtle.ConstantTimeCompare(hash, l.Hash) == 1
}

// LoginProfile is a login as answers have it.
type LoginProfile struct {
	UserName              string
	CreateDate            string
	PasswordResetRequired bool
}

type loginResult struct{ LoginProfile LoginProfile }

type createLoginInput struct {
	callerOr
	Password              string
	PasswordResetRequired bool
}

func (s *Service) createLogin(call *operation.Call, in *createLoginInput) (*loginResult, error) {
	made := login{Reset: in.PasswordResetRequired, CreatedAt: s.now()}
	if err := made.set(in.Password); err != nil {
		return nil, err
	}
	return change(s, call, func(tx *state.Txn) (*loginResult, error) {
		user, err := in.user(call, tx)
		if err != nil {
			return nil, err
		}
		if _, found := logins.Get(tx, user.ID); found {
			return nil, alreadyExists("Login Profile for user %s already exists.", user.Name)
		}
		made.UserID = user.ID
		logins.Put(tx, user.ID, made)
		return &loginResult{LoginProfile{user.Name, stamp(made.CreatedAt), made.Reset}}, nil
	})
}

// user is the user whom a call is about.
func (in callerOr) user(call *operation.Call, tx *state.Txn) (region.User, error) {
	of, err := in.owner(call)
	if err != nil {
		return region.User{}, err
	}
	if of.root {
		return region.User{}, invalid("Must specify userName when calling with non-User credentials")
	}
	user, found := region.Users.Get(tx, of.user)
	if !found {
		return user, notThere(kindUser, of.user)
	}
	return user, nil
}

// login finds the user whom a call is about, with the login.
func (in callerOr) login(call *operation.Call, tx *state.Txn) (region.User, login, error) {
	user, err := in.user(call, tx)
	if err != nil {
		return user, login{}, err
	}
	found, there := logins.Get(tx, user.ID)
	if !there {
		return user, found, noSuchEntity("Login Profile for User %s cannot be found.", user.Name)
	}
	return user, found, nil
}

func (s *Service) getLogin(call *operation.Call, in *callerOr) (*loginResult, error) {
	return view(s, call, func(tx *state.Txn) (*loginResult, error) {
		user, found, err := in.login(call, tx)
		return &loginResult{LoginProfile{user.Name, stamp(found.CreatedAt), found.Reset}}, err
	})
}

type updateLoginInput struct {
	userName
	Password              *string
	PasswordResetRequired *bool
}

func (s *Service) updateLogin(call *operation.Call, in *updateLoginInput) (done, error) {
	var fresh login
	if in.Password != nil {
		if err := fresh.set(*in.Password); err != nil {
			return done{}, err
		}
	}
	return change(s, call, func(tx *state.Txn) (done, error) {
		_, found, err := callerOr{in.UserName}.login(call, tx)
		if err != nil {
			return done{}, err
		}
		if in.Password != nil {
			found.Salt, found.Hash = fresh.Salt, fresh.Hash
		}
		if in.PasswordResetRequired != nil {
			found.Reset = *in.PasswordResetRequired
		}
		logins.Put(tx, found.UserID, found)
		return done{}, nil
	})
}

func (s *Service) deleteLogin(call *operation.Call, in *callerOr) (done, error) {
	return change(s, call, func(tx *state.Txn) (done, error) {
		_, found, err := in.login(call, tx)
		if err == nil {
			logins.Delete(tx, found.UserID)
		}
		return done{}, err
	})
}

type changePasswordInput struct {
	OldPassword string `query:",required"`
	NewPassword string `query:",required"`
}

func (in changePasswordInput) subject(call *operation.Call) thing { return callerOr{}.subject(call) }

func (s *Service) changePassword(call *operation.Call, in *changePasswordInput) (done, error) {
	if call.Principal.UserName() == "" {
		return done{}, refuse("InvalidUserType", http.StatusBadRequest, "Only IAM Users can change their own password.")
	}
	var fresh login
	if err := fresh.set(in.NewPassword); err != nil {
		return done{}, err
	}
	return change(s, call, func(tx *state.Txn) (done, error) {
		_, found, err := callerOr{}.login(call, tx)
		switch {
		case err != nil:
			return done{}, err
		case !found.is(in.OldPassword):
			return done{}, refuse("AccessDenied", http.StatusForbidden, "The old password was incorrect.")
		}
		found.Salt, found.Hash, found.Reset = fresh.Salt, fresh.Hash, false
		logins.Put(tx, found.UserID, found)
		return done{}, nil
	})
}
