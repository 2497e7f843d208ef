// A printed link was opened by a person: use it at once.
document.getElementById("sign-in").submit();
